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
    for name, answer in PAGES.items():
        exported = [{"key": "web-export", "value": True}]
        api.put_action(name, f"def main(a): return {answer}", annotations=exported)
    exported = [*exported, {"key": "web-custom-options", "value": True}]
    api.put_action("own", "def main(a): return {'body': 'x'}", annotations=exported)
    api.put_action("dies", "import os\ndef main(a): os._exit(1)", annotations=exported)
    api.put_action("takes", "def main(a): return a", annotations=[
        {"key": "web-export", "value": True}, {"key": "final", "value": True},
    ], parameters=[{"key": "p", "value": 1}])  # fmt: skip
    return api


PAGES = {
    "page": "{'body': 'Hello'}",
    "told": "{'body': {k: v for k, v in a.items() if k != '__ow_headers'}}",
    "heard": "{'body': a['__ow_headers']}",
    "empty": "{}",
    "gone": "{'statusCode': 204, 'body': 'nobody sees this'}",
    "moved": "{'statusCode': 302, 'headers': {'Location': '/else', 'Set-Cookie': ['a=1', 'b=2']}}",
    "odd": "{'statusCode': 799, 'body': 'x', 'headers': {'Date': 'now', 'Server': 'mine'}}",
    "framed": "{'body': 'x', 'headers': {'Content-Length': '9', 'Transfer-Encoding': 'chunked',"
    " 'Connection': 'close', 'X-Request-ID': 'y', 'x-openwhisk-activation-id': 'z'}}",
    "split": "{'body': 'x', 'headers': {'A: b\\r\\nC': 'd'}}",
    "image": "{'headers': {'Content-Type': 'image/png'}, 'body': 'iVBORw0KGgo='}",
    "sick": "{'error': {'statusCode': 418, 'body': 'teapot'}}",
    "crossed": "{'body': 'x', 'headers': {'Access-Control-Allow-Origin': 'mine'}}",
}
WEB = "/api/v1/web/guest/default"
GETS = [
    *((f"{WEB}/{name}", {}) for name in (*PAGES, "own", "dies")),
    (f"{WEB}/told/a/b.c/?x=1&y=&x=2", {}),
    (f"{WEB}/told/?x=1", {}),
    (f"{WEB}/told/../page", {}),
    (f"{WEB}/told/a//b", {}),
    (f"{WEB}/told?x=a%20b", {}),
    (f"{WEB}/told?__ow_method=x", {}),
    (f"{WEB}/takes?p=2", {}),
    (f"{WEB}/page.json", {}),
    (f"{WEB}/page.html", {}),
    (f"{WEB}/page.svg", {"Accept": "image/png"}),
    (f"{WEB}/page", {"Accept": "application/json"}),
    (f"{WEB}/page", {"Accept": "text/html;q=0, */*"}),
    (f"{WEB}/page", {"Access-Control-Request-Headers": "X-Mine"}),
    (f"{WEB}/page", {"Authorization": "Basic bm9ib2R5"}),
    (f"{WEB}/page", {"X-Request-ID": "mine-1"}),
    (f"{WEB}/heard", {"Cookie": "a=b", "X-Twice": "1", "x-twice": "2", "X-Wide": " a  b "}),
    (f"{WEB}/heard", {"X-Long": "x" * 8_000}),
    (f"{WEB}/heard", {"X-Long": "x" * 10_000}),
    (f"{WEB}/nosuch", {}),
    (f"{WEB}/echo", {}),
    ("/api/v1/web/nobody/default/page", {}),
    ("/api/v1/web/guest/pkg/page", {}),
]

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


@pytest.mark.parametrize(("path", "headers"), GETS)
def test_both_faces_show_the_same_page(
    api: Api, platform: RunningPlatform, path: str, headers: dict[str, str]
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nHost: h\r\n{lines}\r\n".encode()
    before = b"GET /ping HTTP/1.1\r\nHost: h\r\n\r\n"
    long = talk(platform.url, [before, request])[1]
    assert talk(platform.url, [request])[0] == long
    # Once more: now that the action and its owner are at hand, no task of its own is needed.
    assert talk(platform.url, [request])[0] == long


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
            body = reader.read(int(headers.get("content-length", 0))).decode("latin-1")
            headers["content-length"] = "<n>" if "content-length" in headers else "none"
            answers.append((status, {k: same(v) for k, v in headers.items()}, same(body)))
    return answers


def same(text: str) -> str:
    text = re.sub(r"[0-9a-f]{32}", "<id>", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT", "<date>", text)
    text = re.sub(r'("(?:start|end|duration)":)\d+', r"\1<n>", text)
    text = re.sub(r'{"key":"initTime","value":\d+}', "", text).replace(",]", "]")
    return re.sub(r'("waitTime","value":)\d+', r"\1<n>", text)
