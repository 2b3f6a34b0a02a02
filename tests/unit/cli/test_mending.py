"""Lines that were typed, put right."""

import pytest

from cli.failures import Change, Remedy
from cli.mending import changed, mended, nearest


@pytest.mark.parametrize(
    ("argv", "change", "line"),
    [
        ("action lst", Change(("lst",), ("list",)), "action list"),
        ("action create a", Change((), ("a.py",)), "action create a a.py"),
        ("a --kind=x", Change(("x",), ("y",)), "a --kind=y"),
        ("a --bloking=true", Change(("--bloking",), ("--blocking",)), "a --blocking=true"),
        ("a --apihost h b", Change(("--apihost", "h"), ()), "a b"),
        ("a --apihost=h b", Change(("--apihost", "h"), ()), "a b"),
        ("a b c", Change(("b", "c"), ()), "a"),
        ("a b", Change(("x",), ("y",)), None),
        ("a b", Change(("a", "c"), ("y",)), None),
    ],
)
def test_changes(argv: str, change: Change, line: str | None) -> None:
    words = changed(argv.split(), change)
    assert words == (None if line is None else line.split())


def test_a_fix_is_the_whole_line_quoted_for_a_shell() -> None:
    remedy = Remedy("why", "else", Change(("a b",), ("c d",), first="mv x y"))
    assert mended("brisk", ["get", "a b"], remedy).fix == "mv x y && brisk get 'c d'"
    assert mended("brisk", ["get", "other"], remedy).fix == "else"
    assert mended("brisk", ["get"], Remedy("why", "else")).fix == "else"


@pytest.mark.parametrize("typed", [["-u", "a:secret"], ["--auth", "a:secret"], ["--auth=a:secret"]])
def test_a_key_is_not_printed_again(typed: list[str]) -> None:
    fix = mended("brisk", ["lst", *typed], Remedy(change=Change(("lst",), ("list",)))).fix
    assert "secret" not in fix
    assert "UUID:KEY" in fix


def test_the_nearest() -> None:
    assert nearest("helo.py", ["hello.py", "other.py"]) == Change(("helo.py",), ("hello.py",))
    assert nearest("helo.py", ["data"]) is None
