"""The loop of `brisk dev` over a folder and a host that says what it is told to."""

from pathlib import Path

import pytest

from cli.client import Client
from cli.commands.dev import Loop
from cli.configuration import Configuration
from cli.following import Watch
from cli.jsontext import Json
from cli.names import EntityName
from cli.transport import Transport
from tests.fakes.rest import FakeApi

PUT = "PUT actions/a?overwrite=true"


@pytest.fixture
def file(tmp_path: Path, api: FakeApi) -> Path:
    api.answer("PUT actions/a", {"version": "0.0.1", "exec": {"kind": "python:3"}})
    (tmp_path / "a.py").write_text("one")
    return tmp_path / "a.py"


@pytest.fixture
def loop(file: Path, api: FakeApi) -> Loop:
    def document() -> dict[str, Json]:
        return {"exec": {"code": file.read_text()}}

    client = Client(Transport(Configuration(api_host=api.url, auth="u:k")), "v1")
    return Loop(client, EntityName("a"), file, document, Watch(0))


def test_the_same_content_is_stored_once(loop: Loop, file: Path, api: FakeApi) -> None:
    loop.save()
    file.write_text("one")
    loop.save()
    assert api.targets == [PUT]


def test_what_could_not_be_stored_is_tried_again(
    loop: Loop, file: Path, api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refuse(PUT, 503, "not yet")
    loop.save()
    loop.save()
    assert api.targets == [PUT, PUT]
    assert "not yet" in capsys.readouterr().err


def test_a_save_before_the_first_look_is_seen(
    loop: Loop, file: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor may be faster than we are: the file changes before the loop begins."""
    loop.save()
    file.write_text("another one")
    turns = iter([False, False, True])
    monkeypatch.setattr(loop.is_over, "wait", lambda _: next(turns))
    loop.run()
    assert api.targets == [PUT, PUT]
    assert api.asked[1].body == {"exec": {"code": "another one"}}


def test_a_file_that_is_still_being_written_waits(
    loop: Loop, file: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.save()
    grows = iter(["12", "123", "1234", "12345"])

    def wait(_: float) -> bool:
        text = next(grows, None)
        if text is not None:
            file.write_text(text)
        return text is None

    monkeypatch.setattr(loop.is_over, "wait", wait)
    loop.run()
    assert [one.body["exec"]["code"] for one in api.asked] == ["one"]
