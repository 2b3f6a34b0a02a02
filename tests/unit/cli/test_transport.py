import base64
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli import transport
from cli.proxies import proxy_for
from tests.fakes.rest import FakeApi, fake_api
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("configured")


@pytest.mark.parametrize(
    ("url", "no_proxy", "is_proxied"),
    [
        ("http://far.example", "", True),
        ("http://localhost:3233", "", False),
        ("http://127.0.0.9", "", False),
        ("http://far.example", "*", False),
        ("http://a.far.example", "near,.far.example", False),
        ("http://far.example", ".far.example", False),
        ("http://notfar.example", "far.example", True),
        ("http://far.example:81", "far.example:80", True),
        ("http://far.example:80", "far.example:80", False),
        ("http://10.1.2.3", "10.0.0.0/8", False),
        ("http://far.example", "10.0.0.0/8", True),
    ],
)
def test_who_is_reached_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str, is_proxied: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    proxy = proxy_for(urlsplit(url))
    assert (proxy is not None) is is_proxied
    assert proxy is None or (proxy.hostname, proxy.port) == ("proxy.example", 3128)


def test_a_proxy_is_given_the_whole_address(
    line: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", api.url.replace("//", "//me:secret@"))
    api.answer("GET http://far.example/api/v1/namespaces", ["guest"])
    assert line("wsk namespace list --apihost http://far.example").exit == 0
    assert api.asked[0].target == "http://far.example/api/v1/namespaces"
    expected = "Basic " + base64.b64encode(b"me:secret").decode()
    assert api.asked[0].headers["proxy-authorization"] == expected
    assert api.asked[0].headers["host"] == "far.example"


def test_a_look_follows_redirects_and_gives_no_key_to_another_host(line: Run, api: FakeApi) -> None:
    with fake_api() as other:
        other.answer("GET /api/v1/namespaces", ["guest"])
        moved = {"Location": f"{other.url}/api/v1/namespaces"}
        api.answer("GET /api/v1/namespaces", None, 307, moved)
        assert line("wsk namespace list").stdout == "namespaces\nguest\n"
        assert "authorization" in api.asked[0].headers
        assert "authorization" not in other.asked[0].headers


def test_a_circle_of_redirects_ends(line: Run, api: FakeApi) -> None:
    api.answer("GET /api/v1/namespaces", None, 302, {"Location": "/api/v1/namespaces"})
    assert line("wsk namespace list").exit == 302 - 256
    assert len(api.asked) == 1 + transport.MOST_REDIRECTS


def test_a_change_does_not_follow_redirects(line: Run, api: FakeApi) -> None:
    api.answer("DELETE actions/x", None, 307, {"Location": "/api/v1/namespaces"})
    refused = line("wsk action delete x")
    assert (refused.exit, refused.stdout) == (307 - 256, "")
    assert len(api.asked) == 1


def test_silence_has_an_end(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SILENCE_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        refused = line(f"brisk namespace list --apihost http://127.0.0.1:{port}")
    assert refused.exit == 3
    assert "context deadline exceeded" in refused.stderr
    assert f"why: 127.0.0.1:{port} does not answer in time\n" in refused.stderr


def test_a_connection_that_is_closed(line: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closing = threading.Thread(target=lambda: server.accept()[0].close())
        closing.start()
        refused = line(f"wsk namespace list --apihost http://127.0.0.1:{server.getsockname()[1]}")
        closing.join(5)
    assert refused.exit == 3


def test_plain_http_behind_https(line: Run, api: FakeApi) -> None:
    refused = line(f"wsk namespace list --apihost {api.url.replace('http', 'https')}")
    assert refused.exit == 3
    assert "tls: " in refused.stderr


def test_a_name_without_an_address(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    refused = line("wsk namespace list --apihost http://nowhere.example")
    assert refused.exit == 3
    assert "dial tcp: lookup nowhere.example: no such host" in refused.stderr


def test_half_a_certificate(line: Run, home: Path) -> None:
    refused = line("wsk namespace list --key some.key")
    assert refused.exit == 1
    assert "The Cert file is not configured. Please configure the missing Cert file." in (
        refused.stderr
    )
