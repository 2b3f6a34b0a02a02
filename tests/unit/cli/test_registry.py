"""`registry`: the password comes from standard input, and is never in a line or in an answer."""

import io
from pathlib import Path

import pytest

from cli.jsontext import decode
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

PATH = "/api/brisk/v1/namespaces/_/registries"
SHOWN = {"host": "registry.example:5000", "username": "ada", "updated": 1}


def test_a_password_is_read_and_sent(
    line: Run, api: FakeApi, configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answer(f"PUT {PATH}/registry.example:5000", SHOWN)
    monkeypatch.setattr("sys.stdin", io.StringIO("love lace\n"))
    done = line("brisk registry set registry.example:5000 ada")
    assert (done.exit, done.stdout) == (0, "ok: kept credentials for registry.example:5000\n")
    assert api.asked[0].body == {"username": "ada", "password": "love lace"}
    assert "lace" not in done.stdout + done.stderr


def test_without_a_password_nothing_is_sent(
    line: Run, api: FakeApi, configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    refused = line("brisk registry set registry.example ada")
    assert refused.exit == 2
    assert "The password is read from standard input, and there is none." in refused.stderr
    assert api.asked == []


def test_they_are_listed_for_people_and_for_programs(
    line: Run, api: FakeApi, configured: Path
) -> None:
    api.answer(f"GET {PATH}", [SHOWN])
    listed = line("brisk registry list").stdout.splitlines()
    assert listed == ["registries", "registry.example:5000  ada"]
    assert decode(line("brisk registry list --json").stdout) == [SHOWN]


def test_one_that_is_not_there_is_not_deleted(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer(f"DELETE {PATH}/known.example", SHOWN)
    assert line("brisk registry delete known.example").exit == 0
    refused = line("brisk registry delete unknown.example")
    assert refused.exit == 148
    assert "Unable to delete the credentials for 'unknown.example'" in refused.stderr


@pytest.mark.parametrize("words", ["set registry.example", "delete", "list more", "set"])
def test_words_that_are_missing_are_named(line: Run, configured: Path, words: str) -> None:
    refused = line(f"brisk registry {words}")
    assert refused.exit != 0
    assert "required" in refused.stderr
