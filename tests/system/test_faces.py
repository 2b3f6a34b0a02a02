"""Every request answers alike through both faces of the port."""

import re
import socket
from base64 import b64encode
from urllib.parse import urlsplit

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform

ACTIONS = "/api/v1/namespaces/_/actions"
PLAIN = {"Content-Type": "application/json"}
MAX_PAYLOAD_BYTES = 1 << 20
OVER_FULL = b'{"q": "%b"}' % (b"x" * 10_000)


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    api = Api(platform.url, platform.auth)
    api.put_action("echo", "def main(a): return a")
    api.put_action("fails", "def main(a): return {'error': 'no'}")
    api.put_action("breaks", "import os\ndef main(a): os._exit(1)")
    api.put_action("list", "def main(a): return [1, 2]")
    api.put_action(
        "full",
        'def main(a): return {"n": len(a)}',
        parameters=[{"key": "p", "value": "x" * (MAX_PAYLOAD_BYTES - 1_000)}],
    )
    api.put_action(
        "final",
        "def main(a): return a",
        parameters=[{"key": "p", "value": 1}],
        annotations=[{"key": "final", "value": True}],
    )
    return api


CASES = [
    (f"{ACTIONS}/echo?blocking=true&result=true", b'{"big": 123456789012345678901234567890}', {}),
    (f"{ACTIONS}/echo?blocking=true", b"{}", {}),
    (f"{ACTIONS}/echo?blocking=true&result=true", b"", {}),
    (f"{ACTIONS}/echo", b"{}", {}),
    (f"{ACTIONS}/list?blocking=true", b"{}", {}),
    (f"{ACTIONS}/fails?blocking=true&result=yes", b"{}", {}),
    (f"{ACTIONS}/breaks?blocking=true&result=true", b"{}", {}),
    (f"{ACTIONS}/nosuch?blocking=true", b"{}", {}),
    (f"{ACTIONS}/final?blocking=true", b'{"p": 2}', {}),
    (f"{ACTIONS}/full?blocking=true", OVER_FULL, {}),
    (f"{ACTIONS}/full", OVER_FULL, {}),
    (f"{ACTIONS}/pkg/echo?blocking=true", b"{}", {}),
    (f"{ACTIONS}/echo?blocking=maybe", b"{}", {}),
    (f"{ACTIONS}/echo?blocking=true&timeout=0", b"{}", {}),
    (f"{ACTIONS}/echo?blocking=true&blocking=no", b"{}", {}),
    (f"{ACTIONS}/echo?blocking=true", b"[1]", {}),
    (f"{ACTIONS}/echo?blocking=true", b"{", {}),
    (f"{ACTIONS}/echo?blocking=true", b'{"a": NaN}', {}),
    (f"{ACTIONS}/-bad?blocking=true", b"{}", {}),
    (f"{ACTIONS}/ech%6F?blocking=true&result=true", b"{}", {}),
    ("/api/v1/namespaces/other/actions/echo?blocking=true", b"{}", {}),
    ("/api/v1/namespaces/guest/actions/echo?blocking=true&result=true", b"{}", {}),
    (f"{ACTIONS}/echo?blocking=true", b"{}", {"Authorization": "Basic bm9ib2R5"}),
    (f"{ACTIONS}/echo?blocking=true", b"{}", {"X-Request-ID": "mine-1"}),
    (f"{ACTIONS}/echo?blocking=true", b"{}", {"X-Request-ID": "sid_1"}),
    (f"{ACTIONS}/echo?blocking=true", b"a=b", {"Content-Type": "text/plain"}),
]


@pytest.mark.parametrize(("path", "body", "headers"), CASES)
def test_both_faces_say_the_same(
    api: Api, platform: RunningPlatform, path: str, body: bytes, headers: dict[str, str]
) -> None:
    authorization = {"Authorization": f"Basic {b64encode(platform.auth.encode()).decode()}"}
    request = render(path, body, PLAIN | authorization | headers)
    before = b"GET /ping HTTP/1.1\r\nHost: h\r\n\r\n"
    assert talk(platform.url, [request])[0] == talk(platform.url, [before, request])[1]


def test_parameters_and_payload_may_be_too_big_together(api: Api) -> None:
    refused = api.invoke("full", {"q": "x" * 10_000})
    assert refused.status == 413
    text = "The request content is larger than the server is willing or able to process."
    assert refused.body["error"] == text
    assert api.invoke("full", {"q": "x" * 5_000}).status == 200


def render(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def talk(url: str, requests: list[bytes]) -> list[tuple[str, dict[str, str], str]]:
    """Return the answers, with everything that differs from call to call made equal."""
    address = urlsplit(url)
    answers = []
    with (
        socket.create_connection((address.hostname, address.port or 80), timeout=30) as connection,
        connection.makefile("rb") as reader,
    ):
        for request in requests:
            connection.sendall(request)
            status = reader.readline().decode().strip()
            headers = {}
            while (line := reader.readline().decode().strip()) != "":
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
            body = reader.read(int(headers.pop("content-length"))).decode()
            answers.append((status, {k: same(v) for k, v in headers.items()}, same(body)))
    return answers


def same(text: str) -> str:
    text = re.sub(r"[0-9a-f]{32}", "<id>", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT", "<date>", text)
    text = re.sub(r'("(?:start|end|duration)":)\d+', r"\1<n>", text)
    text = re.sub(r'{"key":"initTime","value":\d+}', "", text).replace(",]", "]")
    return re.sub(r'("waitTime","value":)\d+', r"\1<n>", text)
