"""`brisk admin user` and `brisk admin limits`: wskadmin's lines, on the stores themselves."""

import asyncio
import json
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.settings import StoreSettings, ThrottleSettings
from common.store.secrets_file import InstallationSecret
from common.store.sqlite import SqliteStores
from common.store.subjects import SubjectStore
from tests.unit.cli.conftest import Run

AUTH = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502:" + "k" * 64


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """The stores of an embedded platform that was started once; they are the default."""

    async def fill() -> None:
        stores = await SqliteStores.open(home / "data" / "store", StoreSettings(), SystemClock())
        secret = InstallationSecret.load_or_create(home / "data" / "secret")
        await secret.require_same(stores.meta, home / "data" / "secret")
        await stores.close()

    for name in ("BRISK_COUCHDB__URL", "BRISK_COUCHDB__PREFIX", "BRISK_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    (home / "data").mkdir()
    monkeypatch.setenv("BRISK_DATA", str(home / "data"))
    asyncio.run(fill())
    return home / "data"


def said(line: Run, typed: str) -> str:
    ran = line(f"brisk admin {typed}")
    assert ran.exit == 0, ran.stderr
    return ran.stdout


def opens(data: Path, auth: str) -> str | None:
    """Return the namespace that a key opens."""
    uuid, _, key = auth.strip().partition(":")

    async def ask() -> str | None:
        stores = await SqliteStores.open(data / "store", StoreSettings(), SystemClock())
        secret = InstallationSecret.load_or_create(data / "secret")
        identity = await SubjectStore(stores.subjects, secret, ThrottleSettings()).identify(
            uuid, key
        )
        await stores.close()
        return None if identity is None else identity.namespace

    return asyncio.run(ask())


def test_from_the_making_of_a_subject_to_its_end(line: Run, data: Path) -> None:
    auth = said(line, "user create alice")
    assert opens(data, auth) == "alice"
    assert said(line, "user get alice") == auth
    assert said(line, f"user whois {auth}") == "subject: alice\nnamespace: alice\n"
    assert said(line, f"user create alice -ns team -u {AUTH}") == f"{AUTH}\n"
    assert said(line, "user get alice -ns team") == f"{AUTH}\n"
    assert said(line, "user get alice --all") == f"alice\t{auth}team\t{AUTH}\n"
    bob = said(line, "user create bobby -ns team").strip()
    assert said(line, "user list team -a") == f"{AUTH}\talice\n{bob}\tbobby\n"
    assert said(line, "user list team") == f"{AUTH}\talice\n"
    assert said(line, "user list team -p 2 -k") == f"{AUTH}\n{bob}\n"
    assert json.loads(said(line, "user get alice -ns team -o json")) == {
        "subject": "alice", "namespace": "team", "auth": AUTH,
    }  # fmt: skip

    assert said(line, "user block alice") == '"alice" blocked successfully\n'
    assert opens(data, AUTH) is None
    assert said(line, "user list team -a") == f"{bob}\tbobby\n"
    assert said(line, "user unblock alice") == '"alice" unblocked successfully\n'

    rotated = said(line, "user rotate alice -ns team").strip()
    assert (opens(data, AUTH), opens(data, rotated)) == (None, "team")
    assert rotated.partition(":")[0] == AUTH.partition(":")[0]
    revoked = said(line, "user create alice -ns team -r").strip()
    assert (opens(data, rotated), opens(data, revoked)) == (None, "team")

    assert said(line, "user delete alice -ns team") == "Namespace deleted\n"
    assert said(line, "user delete alice") == "Subject deleted\n"
    assert said(line, "user whois " + auth) == "Subject id is not recognized\n"
    assert said(line, "user list alice") == 'no identities found for namespace "alice"\n'
    assert "0 entities" not in said(line, "db check")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("user create bob", "Subject name must be at least 5 characters"),
        ("user create alice -u 1:2", "authorization id is not a valid UUID"),
        (f"user create alice -u {AUTH[:-1]}", "authorization key must be at least 64 characters"),
        (f"user create alice -u {AUTH}k", "it would open nothing"),
        ("user create known", "Namespace already exists"),
        ("user create a/b/c", "contains illegal characters"),
        ("user get nobody", 'there is no subject "nobody"'),
        ("user get known -ns other", 'namespace "other" not found for "known"'),
        ("user delete known -ns other", 'Namespace "other" does not exist for "known"'),
        ("user delete nobody", 'there is no subject "nobody"'),
        ("user rotate nobody", 'there is no subject "nobody"'),
        ("limits set known --invocationsPerMinute many", "invalid argument"),
        ("limits set known --invocationsPerMinute -1", "a whole number from 0"),
        ("limits set known --storeActivations perhaps", "true or false"),
        ("limits set known python:3", "Invalid argument(s): python:3"),
        ("budget set known --warn 5", "measure cannot be None"),
        ("budget set known --amount 1 --activations 2", "Only one of --amount"),
        ("budget set known --amount many", "a number such as 12.50"),
        ("budget set known --activations 5 --stop -1", "a whole number from 0 to 1000"),
        ("budget set known --activations 5 --every year", "one of day, month"),
        ("user get known --data nowhere", "There is no platform in"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_1(line: Run, typed: str, text: str) -> None:
    said(line, "user create known -s")
    refused = line(f"brisk admin {typed}")
    assert (refused.exit, refused.stdout) == (1, "")
    assert text in refused.stderr
    assert len(refused.stderr.splitlines()) <= 4


def test_a_key_that_is_only_generated_opens_nothing(line: Run, data: Path) -> None:
    assert opens(data, said(line, "user create alice -g")) is None
    assert said(line, "user create alice -s") == ""


def test_blocking_ends_with_the_number_of_those_that_failed(line: Run) -> None:
    said(line, "user create alice -s")
    ran = line("brisk admin user block alice ' ' nobody neither")
    assert (ran.exit, ran.stdout) == (2, '"alice" blocked successfully\n')
    assert ran.stderr.count("Failed to get subject") == 2
    assert "is blocked" in line("brisk admin user create alice -ns more").stderr


def test_the_file_of_the_guests_key_follows(line: Run, data: Path) -> None:
    file = data / "guest.key"
    file.write_text(said(line, "user create guest"))
    rotated = line("brisk admin user rotate guest")
    assert file.read_text() == rotated.stdout
    assert "guest.key has it, too" in rotated.stderr
    said(line, "user create other -s")
    assert "guest.key" not in line("brisk admin user rotate other").stderr
    assert "a new guest" in line("brisk admin user delete guest").stderr
    assert not file.exists()


def test_limits_are_set_shown_and_deleted(line: Run) -> None:
    nothing = "No limits found, default system limits apply\n"
    assert said(line, "limits get team") == nothing
    typed = "limits set team --firesPerMinute 3 --storeActivations false --allowedKinds a b"
    assert said(line, typed) == 'Limits successfully set for "team"\n'
    said(line, "limits set team --invocationsPerMinute 0 --maxPayloadSize '2 KB'")
    assert said(line, "limits get team").splitlines() == [
        "invocationsPerMinute = 0",
        "firesPerMinute = 3",
        "allowedKinds = a, b",
        "storeActivations = False",
        "maxPayloadSize = 2 KB",
    ]
    assert json.loads(said(line, "limits get team --json"))["firesPerMinute"] == 3
    assert said(line, "limits delete team") == "Limits deleted\n"
    assert said(line, "limits get team") == nothing


def test_a_budget_is_set_shown_and_deleted(line: Run) -> None:
    assert said(line, "budget get team") == "No budget found, nothing is limited by one\n"
    typed = "budget set team --amount 12.50 --every day --throttle 90 --perMinute 5 --trigger t"
    assert said(line, typed) == 'Budget successfully set for "team"\n'
    said(line, "budget set team --warn 50 --trigger ''")
    assert said(line, "budget get team").splitlines() == [
        "measure = cost",
        "amount = 12500000",
        "every = day",
        "warn = 50",
        "throttle = 90",
        "perMinute = 5",
    ]
    assert json.loads(said(line, "budget get team --json"))["amount"] == 12_500_000
    assert "damage" not in said(line, "db check")
    assert said(line, "budget delete team") == "Budget deleted\n"
    assert said(line, "budget get team").startswith("No budget found")
