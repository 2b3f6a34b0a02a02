"""HTTPS with a certificate that nobody signed, and with one that clients must show."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.certificates import self_signed
from tests.fakes.rest import FakeApi, fake_api
from tests.unit.cli.conftest import Run


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


def served(pair: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


@pytest.fixture
def secure(pair: tuple[Path, Path], home: Path) -> Iterator[FakeApi]:
    with fake_api(served(pair)) as api:
        api.answer("GET /api/v1/namespaces", ["guest"])
        (home / "wskprops").write_text(f"APIHOST={api.url}\nAUTH=uuid:key\n")
        yield api


def test_a_certificate_that_nobody_vouches_for_is_refused(line: Run, secure: FakeApi) -> None:
    refused = line("brisk namespace list")
    assert (refused.exit, refused.stdout) == (3, "")
    assert "tls: failed to verify certificate: " in refused.stderr
    assert "\nwhy: this machine does not trust the certificate\n" in refused.stderr
    assert secure.asked == []


def test_who_says_so_trusts_any(line: Run, secure: FakeApi) -> None:
    assert line("wsk -i namespace list").stdout == "namespaces\nguest\n"
    assert line("wsk namespace list --insecure").exit == 0


def test_a_host_without_a_scheme_is_https(line: Run, secure: FakeApi) -> None:
    host = secure.url.removeprefix("https://")
    assert line(f"wsk -i namespace list --apihost {host}").exit == 0


def test_a_client_shows_its_certificate(line: Run, pair: tuple[Path, Path], home: Path) -> None:
    demanding = served(pair)
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(pair[0])
    with fake_api(demanding) as api:
        api.answer("GET /api/v1/namespaces", ["guest"])
        typed = f"wsk -i -u a:b namespace list --apihost {api.url}"
        assert line(f"{typed} --cert {pair[0]} --key {pair[1]}").exit == 0
        assert line(typed).exit == 3


def test_a_certificate_that_is_none(line: Run, secure: FakeApi, home: Path) -> None:
    (home / "bad.pem").write_text("?")
    refused = line("wsk -i namespace list --cert bad.pem --key bad.pem")
    assert refused.exit == 1
    assert "Unable to load the X509 key pair due to the following reason: " in refused.stderr
