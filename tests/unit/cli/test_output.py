"""`-o`: one flag on every command, whose forms programs can read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.jsontext import decode
from cli.yamltext import yaml_of
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

ACTION: dict[str, Any] = {"namespace": "guest", "name": "hello", "version": "0.0.1"}


@pytest.fixture(autouse=True)
def answers(configured: object, api: FakeApi) -> None:
    api.answer("GET actions", [ACTION, ACTION | {"name": "other"}])
    api.answer("GET actions/hello", ACTION)
    api.answer("PUT actions/hello", ACTION)
    api.answer("DELETE actions/hello", ACTION)
    api.answer("POST actions/hello", {"activationId": "1" * 32}, 202)


def test_the_forms_of_a_list(line: Run) -> None:
    assert line("brisk action list -o name").stdout == "/guest/hello\n/guest/other\n"
    assert decode(line("brisk action list -o json").stdout)[0] == ACTION
    assert line("brisk action list -o yaml").stdout.splitlines()[:3] == [
        "- namespace: guest",
        "  name: hello",
        '  version: "0.0.1"',
    ]
    assert line("brisk action list -o table").stdout == line("brisk action list").stdout


def test_the_forms_of_one(line: Run) -> None:
    assert line("brisk action get hello --output name").stdout == "/guest/hello\n"
    assert decode(line("brisk action get hello --json").stdout) == ACTION
    assert line("brisk action get hello -o table").stdout.splitlines() == [
        "FIELD      VALUE",
        "namespace  guest",
        "name       hello",
        "version    0.0.1",
    ]
    assert line("brisk action get hello version -o json").stdout == '"0.0.1"\n'


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("action create hello --docker img -o name", "/guest/hello\n"),
        ("action delete hello -o name", "/_/hello\n"),
        ("action invoke hello -o name", f"{'1' * 32}\n"),
        ("-o name action invoke hello", f"{'1' * 32}\n"),
        ("action invoke hello -o yaml", f'activationId: "{"1" * 32}"\n'),
    ],
)
def test_what_was_done_has_forms_too(line: Run, typed: str, printed: str) -> None:
    done = line(f"brisk {typed}")
    assert (done.exit, done.stdout, done.stderr) == (0, printed, "")


def test_a_form_that_there_is_not(line: Run) -> None:
    refused = line("brisk action list -o xml")
    assert (refused.exit, refused.stdout) == (1, "")
    assert "'xml' is not one of" in refused.stderr
    assert line("wsk action list -o json").stderr == "unknown shorthand flag: 'o' in -o\n"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_yaml_reads_back_as_the_same_value(value: Any) -> None:
    assert _read(yaml_of(value).split("\n"), 0)[0] == value


def _read(lines: list[str], at: int) -> tuple[Any, int]:
    """Read the block that begins at line *at*: only the shapes that `yaml_of` writes."""
    margin = len(lines[at]) - len(lines[at].lstrip(" "))
    if lines[at].lstrip(" ").startswith("- "):
        items = []
        while at < len(lines) and lines[at].startswith(" " * margin + "- "):
            lines[at] = " " * (margin + 2) + lines[at][margin + 2 :]
            item, at = _read(lines, at)
            items.append(item)
        return items, at
    key, rest = _key(lines[at][margin:])
    if key is None:
        return _scalar(lines[at][margin:]), at + 1
    made: dict[str, Any] = {}
    while key is not None:
        if rest:
            made[key], at = _scalar(rest), at + 1
        else:
            made[key], at = _read(lines, at + 1)
        if at == len(lines) or len(lines[at]) - len(lines[at].lstrip(" ")) != margin:
            break
        if lines[at][margin:].startswith("- "):
            break
        key, rest = _key(lines[at][margin:])
    return made, at


def _key(text: str) -> tuple[str | None, str]:
    if text.startswith('"'):
        value, end = json.JSONDecoder(strict=False).raw_decode(text)
        return (value, text[end + 1 :].strip(" ")) if text[end : end + 1] == ":" else (None, "")
    name, colon, rest = text.partition(":")
    return (name, rest.strip(" ")) if colon else (None, "")


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
