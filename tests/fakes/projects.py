"""Projects that are typed at a live platform: what the client asked for, and what is there then."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from cli.transport import Transport
from tests.fakes.api import Api
from tests.fakes.embedded import ROOT
from tests.fakes.terminal import Outcome, in_process

DATA: Final = ROOT / "tests" / "data" / "projects"
NAMES: Final = sorted(path.name for path in DATA.iterdir())
TYPED: Final = {"inputs": "--param needed here"}
"""What has to be typed beside the folder."""
VARIABLES: Final = {
    "PROJECTS_TEST_PACKAGE": "inputs",
    "PROJECTS_TEST_WORD": "spoken",
    "PROJECTS_TEST_NUMBER": "7",
    "PROJECTS_TEST_ACTION": "second-note",
}
COLLECTIONS: Final = ("packages", "actions", "triggers", "rules")


@contextmanager
def at_work(url: str, auth: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Have lines be typed in *folder* at the platform at *url*, whose namespace is left empty."""
    (folder / "props").write_text(f"APIHOST={url}\nAUTH={auth}\n")
    monkeypatch.setenv("WSK_CONFIG_FILE", str(folder / "props"))
    for name in ("WHISK_APIHOST", "WHISK_AUTH", "WHISK_APIVERSION", "WSK_CLI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    api = Api(url, auth)
    try:
        yield api
    finally:
        leave_nothing(api)


def leave_nothing(api: Api) -> None:
    for collection in ("rules", "triggers"):
        for row in api.call("GET", f"{collection}?limit=200").body:
            api.call("DELETE", f"{collection}/{row['name']}")
    for row in api.call("GET", "packages?limit=200").body:
        api.call("DELETE", f"packages/{row['name'].replace(' ', '%20')}?force=true")
    for row in api.call("GET", "actions?limit=200").body:
        api.call("DELETE", f"actions/{row['name']}")


def typed(line: str, program: str = "brisk") -> Outcome:
    return in_process(line.split(), program)


def done(line: str, program: str = "brisk") -> str:
    outcome = typed(line, program)
    assert outcome.exit == 0, outcome
    return outcome.stdout


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield what the client asks for within the block, as methods and paths."""
    asked: list[str] = []
    whole = Transport.exchange

    def witness(self: Transport, method: str, target: str, *rest: Any, **more: Any) -> Any:
        asked.append(f"{method} {target}")
        return whole(self, method, target, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "exchange", witness)
        yield asked


def there(api: Api) -> dict[str, list[str]]:
    """Return the names of everything in the namespace."""
    found = {}
    for collection in COLLECTIONS:
        rows = api.call("GET", f"{collection}?limit=200").body
        found[collection] = sorted(
            f"{row['namespace']}/{row['name']}".removeprefix("guest/") for row in rows
        )
    return found


NOTHING: Final[dict[str, list[str]]] = {collection: [] for collection in COLLECTIONS}


def parameters(document: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in document["parameters"]}


def annotations(document: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in document["annotations"]}


def addresses(api: Api) -> dict[str, str]:
    """Return where each API is, by its base path, without the host."""
    found = api.call("GET", "/api/v1/web/whisk.system/apimgmt/getApi.http?accesstoken=t").body
    values = [one["value"] for one in found["apis"]]
    return {one["apidoc"]["basePath"]: urlsplit(one["gwApiUrl"]).path for one in values}


def there_and_back(api: Api, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deploy the project *name* twice, write it down in *folder*, compare, and remove it."""
    flags = f"--project {DATA / name} --projectname {name} {TYPED.get(name, '')}"

    first = done(f"project deploy --managed {flags}")
    assert first.endswith("Success: Deployment completed successfully.\n")
    assert first.count("ok: created ") == first.count("\n") - 1 > 0
    made = there(api)
    assert made != NOTHING

    with watched(monkeypatch) as asked:
        again = done(f"project deploy --managed {flags}")
    assert again == "nothing to change\nSuccess: Deployment completed successfully.\n"
    assert {line.split()[0] for line in asked} == {"GET"}, "a second deployment writes nothing"

    done(f"project export --projectname {name} --manifest {folder / 'out' / 'manifest.yaml'}")
    same = done(f"project diff --managed --project {folder / 'out'} --projectname {name}")
    assert same == "nothing to change\n", (folder / "out" / "manifest.yaml").read_text()

    done(f"project undeploy --projectname {name}")
    assert there(api) == NOTHING

    done(f"project deploy --managed --project {folder / 'out'} --projectname {name}")
    assert there(api) == made, "what was written down deploys the same"
    done(f"project undeploy --project {folder / 'out'}")
    assert there(api) == NOTHING
