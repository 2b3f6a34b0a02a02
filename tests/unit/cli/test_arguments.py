import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.arguments import split
from cli.failures import Failure
from cli.jsontext import decode, encode


def values(*argv: str) -> bytes:
    return encode(split(argv).values("parameter"))


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("1", b"1"),
        ("01", b'"01"'),
        ("1e3", b"1e3"),
        ("0.10", b"0.10"),
        ("12345678901234567890123", b"12345678901234567890123"),
        ("true", b"true"),
        ("null", b"null"),
        ("hello", b'"hello"'),
        ("", b'""'),
        ('"12"', b'"12"'),
        ('{"a": [1, 2]}', b'{"a":[1,2]}'),
        (r"a\tb", rb'"a\tb"'),
        ('say "hi"', rb'"say \"hi\""'),
        (r"C:\x", rb'"C:\\x"'),
        ("{abc}", b'"{abc}"'),
        ("NaN", b'"NaN"'),
        ("-1", b"-1"),
        ("ü€", '"ü€"'.encode()),
    ],
)
def test_a_value_is_json_where_it_can_be_and_text_otherwise(typed: str, sent: bytes) -> None:
    assert values("-p", "k", typed) == b'{"k":' + sent + b"}"


@pytest.mark.parametrize("typed", ['{"invalid1": }', '[1, "a"b"]', '"invalid2"": 3'])
def test_a_value_that_only_looks_like_json_is_refused(typed: str) -> None:
    with pytest.raises(Failure, match="Invalid parameter argument") as refused:
        values("-p", "k", typed)
    assert refused.value.exit_code == 1


def test_keys_and_values_are_found_anywhere_and_the_line_stays_in_order() -> None:
    typed = split(["-p", "a", "1", "action", "invoke", "--param", "b", "-x", "hello", "-r"])

    assert typed.line == ["action", "invoke", "hello", "-r"]
    assert typed.values("parameter") == {"a": 1, "b": "-x"}
    assert typed.values("annotation") is None


def test_the_later_of_two_wins_whether_pair_or_file(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text('{"a": {"deep": 1}, "b": 2} and what follows is ignored')

    typed = split(["-p", "a", "0", "-P", str(file), "-p", "b", "3", "-a", "k", "v"])

    assert typed.values("parameter") == {"a": {"deep": 1}, "b": 3}
    assert typed.bindings("annotation") == [{"key": "k", "value": "v"}]


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"n": 1}'))
    assert split(["-P", "-"]).values("parameter") == {"n": 1}


@pytest.mark.parametrize(
    ("argv", "text", "code"),
    [
        (["-p", "k"], "The parameter arguments are invalid: Arguments for '-p' must be a", 1),
        (["-a"], "The annotation arguments are invalid: Arguments for '-a' must be a", 1),
        (["-P"], "The parameter arguments are invalid: An argument must be provided for '-P'", 1),
        (["-A", "no"], "File 'no' is not a valid file or it does not exist", 2),
    ],
)
def test_what_lacks_its_words_or_its_file_is_told(argv: list[str], text: str, code: int) -> None:
    with pytest.raises(Failure) as refused:
        split(argv)
    assert refused.value.text.startswith("Failed to parse arguments: ")
    assert text in refused.value.text
    assert refused.value.exit_code == code


@pytest.mark.parametrize("content", ["[1]", '{"name": ', "", "1"])
def test_a_file_must_hold_an_object(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    with pytest.raises(Failure, match="Invalid parameter argument"):
        split(["-P", str(file)]).values("parameter")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), json_values)
def test_whatever_json_is_typed_arrives_as_it_is(key: str, value: object) -> None:
    text = encode(value).decode()
    assert decode(values("-p", key, text)) == {key: value}
