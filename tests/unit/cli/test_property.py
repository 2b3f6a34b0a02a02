from pathlib import Path

import pytest

from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

INFO = {"build": "2026-11-21T00:00:00Z", "buildno": "7"}


def test_all_properties_in_their_order(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer("GET /api/v1", INFO)
    api.answer("GET /api/v1/namespaces", ["guest"])

    shown = line("wsk property get")

    assert shown.exit == 0
    labels = [text.rpartition("\t")[0].strip() for text in shown.stdout.splitlines()]
    assert labels == [
        "whisk API host",
        "whisk auth",
        "whisk namespace",
        "client cert",
        "Client key",
        "whisk API version",
        "whisk CLI version",
        "whisk API build",
        "whisk API build number",
    ]
    assert f"whisk API host\t\t{api.url}\n" in shown.stdout
    assert "whisk namespace\t\tguest\n" in shown.stdout
    assert "whisk API version\tv1\nwhisk CLI version\t20" in shown.stdout
    info = next(one for one in api.asked if one.target == "/api/v1")
    assert "authorization" not in info.headers


def test_chosen_properties_come_in_an_order_of_their_own(line: Run, configured: Path) -> None:
    shown = line("wsk property get --apiversion --cliversion --auth")
    assert [text.split("\t")[0] for text in shown.stdout.splitlines()] == [
        "whisk auth",
        "whisk CLI version",
        "whisk API version",
    ]
    assert line("wsk property get -o raw --auth").stdout == "uuid:key\n"


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("-o raw", "--output|-o raw only supported with specific property type"),
        ("-o raw --all", "--output|-o raw only supported with specific property type"),
        ("-o xml --auth", "Supported output format are std|raw"),
    ],
)
def test_forms_that_make_no_sense(line: Run, configured: Path, typed: str, text: str) -> None:
    refused = line(f"wsk property get {typed}")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"error: {text}\n")


def test_an_unknown_build_is_a_network_failure(line: Run, api: FakeApi, configured: Path) -> None:
    api.refuse("GET /api/v1", 503, "no")
    shown = line("wsk property get --apibuild")
    assert shown.exit == 3
    assert shown.stdout == "whisk API build\t\tUnknown\n"
    assert "Unable to obtain API build information" in shown.stderr


def test_properties_are_set_and_forgotten(line: Run, home: Path) -> None:
    done = line("wsk property set --apihost h:1 -u a:b --apiversion v2")
    assert (done.exit, done.stderr) == (0, "")
    assert set(done.stdout.splitlines()) == {
        "ok: whisk API host set to h:1",
        "ok: whisk auth set. Run 'wsk property get --auth' to see the new value.",
        "ok: whisk API version set to v2",
    }
    assert line("wsk property get --apihost --auth").stdout == (
        "whisk API host\t\th:1\nwhisk auth\t\ta:b\n"
    )
    gone = line("wsk property unset --apihost --auth --apiversion")
    assert gone.exit == 0
    assert set(gone.stdout.splitlines()) == {
        "ok: whisk API host unset.",
        "ok: whisk auth unset.",
        "ok: whisk API version unset; the default value of v1 will be used.",
    }
    assert (home / "wskprops").read_text() == ""


def test_a_bare_set_needs_a_host(line: Run, home: Path) -> None:
    refused = line("wsk property set")
    assert refused.exit == 1
    assert refused.stderr == (
        "error: The API host is not valid: An API host must be provided.\n"
        "\nRun 'wsk --help' for usage.\n"
    )


def test_a_certificate_that_is_not_there_is_not_stored(line: Run, home: Path) -> None:
    refused = line("wsk property set --apihost h --cert no.pem --key no.key")
    assert refused.exit == 1
    assert "Unable to load the X509 key pair due to the following reason:" in refused.stderr
    assert not (home / "wskprops").exists()
    half = line("wsk property set --apihost h --cert no.pem")
    assert "The Key file is not configured. Please configure the missing Key file." in half.stderr


def test_precedence_is_flag_environment_file_default(
    line: Run, configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = "wsk property get -o raw"
    assert line(f"{raw} --auth").stdout == "uuid:key\n"
    monkeypatch.setenv("WHISK_AUTH", "from:environment")
    assert line(f"{raw} --auth").stdout == "from:environment\n"
    assert line(f"wsk -u from:flag {raw.removeprefix('wsk ')} --auth").stdout == "from:flag\n"
    assert line(f"{raw} --apiversion").stdout == "v1\n"
