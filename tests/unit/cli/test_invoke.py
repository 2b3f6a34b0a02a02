import socket
from pathlib import Path

import pytest

from cli.jsontext import decode
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

ID = "0" * 31 + "7"
RECORD = {"name": "hello", "activationId": ID, "response": {"result": {"b": 1, "a": 2}}}
HINT = "Run 'wsk --help' for usage.\n"
RAN = {"x-openwhisk-activation-id": ID}

pytestmark = pytest.mark.usefixtures("configured")


def test_without_waiting(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/hello", {"activationId": ID}, 202)
    done = line("wsk action invoke hello -p n 1 --param s text")
    assert (done.exit, done.stderr) == (0, "")
    assert done.stdout == f"ok: invoked /_/hello with id {ID}\n"
    assert api.targets == ["POST actions/hello?blocking=false&result=false"]
    assert api.asked[0].body == {"n": 1, "s": "text"}


def test_the_record_is_printed_with_its_keys_in_order(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/hello", RECORD)
    done = line("wsk action invoke /_/hello -b")
    head, _, text = done.stdout.partition("\n")
    assert head == f"ok: invoked /_/hello with id {ID}"
    assert list(decode(text)) == ["activationId", "name", "response"]
    assert list(decode(text)["response"]["result"]) == ["a", "b"]
    assert api.targets == ["POST actions/hello?blocking=true&result=false"]
    assert api.asked[0].body == {}


def test_the_result_stands_alone_and_keeps_its_digits(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/hello", '{"x": 0.10, "html": "<&>", "big": 12345678901234567890}')
    done = line("wsk action invoke hello -r")
    assert done.stdout == (
        '{\n    "big": 12345678901234567890,\n    "html": "<&>",\n    "x": 0.10\n}\n'
    )
    assert api.targets == ["POST actions/hello?blocking=true&result=true"]


def test_a_switch_may_be_given_its_value(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/hello", RECORD)
    line("wsk action invoke hello --blocking=true --result=false")
    assert api.targets == ["POST actions/hello?blocking=true&result=false"]
    assert line("wsk action invoke hello --result=perhaps").exit == 1


@pytest.mark.parametrize("program", ["wsk", "brisk"])
def test_a_wait_that_ended_first(line: Run, api: FakeApi, program: str) -> None:
    api.answer("POST actions/hello", {"activationId": ID}, 202)
    done = line(f"{program} action invoke hello -r")
    assert (done.exit, done.stdout) == (202, "")
    said = f"ok: invoked /_/hello, but the request has not yet finished, with id {ID}\n"
    assert done.stderr == said + (f"fix: brisk activation get {ID}\n" if program == "brisk" else "")


def test_the_error_of_an_action_goes_to_standard_error(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/fail", {"error": "sorry"}, 502, RAN)
    failed = line("wsk action invoke fail -r")
    assert (failed.exit, failed.stdout) == (246, "")
    assert failed.stderr == '{\n    "error": "sorry"\n}\n'

    api.answer("POST actions/record", RECORD, 502, RAN)
    failed = line("wsk action invoke record -b")
    assert (failed.exit, failed.stdout) == (246, "")
    assert failed.stderr.startswith(f"ok: invoked /_/record with id {ID}\n{{\n")


def test_an_action_may_answer_with_error_and_code(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/fail", {"error": "mine", "code": "mine"}, 502, RAN)
    assert line("wsk action invoke fail -r").stderr.startswith("{\n")


def test_a_gateway_in_trouble_is_no_answer_of_the_action(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/x", "<html>", 502)
    refused = line("wsk action invoke x -r")
    assert refused.exit == 246
    assert refused.stderr == (
        "error: Unable to invoke action 'x': The connection failed, or timed out. "
        f"(HTTP status code 502)\n{HINT}"
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((400, 144), (401, 145), (403, 147), (404, 148), (408, 152), (413, 157), (429, 173)),
        *((500, 244), (503, 247)),
    ],
)
def test_a_refusal_ends_with_its_status(line: Run, api: FakeApi, status: int, code: int) -> None:
    api.refuse("POST actions/x", status, "no")
    refused = line("wsk action invoke x")
    assert refused.exit == code
    assert refused.stderr == f"error: Unable to invoke action 'x': no (code tid42)\n{HINT}"


@pytest.mark.parametrize("body", ["", "{}", '{"error": "no"}', '{"error": 1, "code": "x"}', "[]"])
def test_an_error_without_its_two_parts_degrades(line: Run, api: FakeApi, body: str) -> None:
    api.answer("POST actions/x", body, 500)
    assert "The connection failed, or timed out. (HTTP status code 500)" in (
        line("wsk action invoke x").stderr
    )


def test_nobody_listens(line: Run) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{closed.getsockname()[1]}"
        wsk = line(f"wsk action invoke x -r --apihost http://{at}")
        brisk = line(f"brisk action invoke x -r --apihost http://{at}")
    text = (
        f"error: Unable to invoke action 'x': Post \"http://{at}/api/v1/namespaces/_/actions/x"
        f'?blocking=true&result=true": dial tcp {at}: connect: connection refused\n'
    )
    assert (wsk.exit, wsk.stdout, wsk.stderr) == (3, "", text + HINT)
    assert brisk.stderr == (
        f"{text}why: nothing listens at {at}\nfix: brisk serve --port {at.partition(':')[2]}\n"
    )


def test_no_key(line: Run, configured: Path, api: FakeApi) -> None:
    (configured / "wskprops").write_text(f"APIHOST={api.url}\n")
    refused = line("wsk action invoke x")
    assert refused.exit == 2
    assert "Authorization key is not configured (--auth is required)" in refused.stderr


@pytest.mark.parametrize("host", ["http://h:x", "http://", "http://a b"])
def test_a_host_that_is_none(line: Run, host: str) -> None:
    refused = line(f"wsk action invoke x --apihost '{host}'")
    assert refused.exit == 1
    assert "The API host is not valid: " in refused.stderr


def test_a_slash_after_the_host_is_ignored(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/hello", {"activationId": ID}, 202)
    assert line(f"wsk action invoke hello --apihost {api.url}/").exit == 0
    assert api.targets == ["POST actions/hello?blocking=false&result=false"]


def test_requests_are_shown_when_asked_for(line: Run, api: FakeApi) -> None:
    api.answer("POST actions/hello", {"activationId": ID, "password": "hush"}, 202)
    as_wsk = line("wsk action invoke hello -v -p k v")
    assert "REQUEST:\n[POST]\thttp://" in as_wsk.stdout
    assert "RESPONSE:Got response with code 202\n" in as_wsk.stdout
    assert "dXVpZDprZXk=" in as_wsk.stdout
    assert "hush" not in as_wsk.stdout
    as_brisk = line("brisk action invoke hello -v")
    assert as_brisk.stdout == f"ok: invoked /_/hello with id {ID}\n"
    assert "[POST]" in as_brisk.stderr
    assert "dXVpZDprZXk=" not in as_brisk.stderr
