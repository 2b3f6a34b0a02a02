"""Stores with something of everything in them, for tests of what operators do."""

from pathlib import Path
from typing import Any

from common.clock import SystemClock
from common.entity.action import Action, Exec, Parameter
from common.entity.activation import Response, Status
from common.entity.names import QualifiedName
from common.ids import DocId, Namespace, Subject
from common.settings import ThrottleSettings
from common.store.actions import ActionStore
from common.store.port import Stores
from common.store.secrets_file import InstallationSecret
from common.store.subjects import SubjectStore
from tests.contract.stores import STORES
from tests.fakes.records import DAY_MS, HOUR_MS, NOON_MS, a_record, an_action

SECRET = InstallationSecret(b"s" * 32)
UUID = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502"
KEY = "k" * 64
LONG_CODE = "def main(a): return a  # ☃" + "x" * 40_000
RECORDS = 48
LARGE = a_record(
    900, response=Response(status=Status.SUCCESS, result=b'{"big": "%s"}' % (b"y" * 600_000)),
    logs=("a\n ☃ }}",) * 9,
)  # fmt: skip


async def filled(adapter: str, folder: Path) -> None:
    """Make stores and close them: a namespace, actions in a package and not, records of days."""
    stores = await STORES[adapter](folder)
    try:
        await fill(stores)
    finally:
        await stores.close()


async def fill(stores: Stores) -> None:
    """Put everything into open stores."""
    subjects = SubjectStore(stores.subjects, SECRET, ThrottleSettings(), clock=SystemClock())
    await subjects.create(Subject("guest"), Namespace("guest"), UUID, KEY)
    await stores.subjects.create(DocId("lim/guest"), {"concurrentInvocations": 7})
    actions = ActionStore(stores.entities, stores.blobs)
    for name in ("guest/short", "guest/long", "guest/pack/age d", "other/long"):
        await actions.put(_action(name), None)
    for number in range(RECORDS):
        start_ms = NOON_MS + (number % 3) * DAY_MS + number * HOUR_MS // 2
        changes: dict[str, Any] = {"namespace": Namespace(("guest", "other")[number % 2])}
        action = an_action(("hello", "pack/age d")[number % 5 == 0])
        stores.activations.put(a_record(number, start_ms=start_ms, action=action, **changes))
    stores.activations.put(LARGE)


def _action(path: str) -> Action:
    namespace, _, rest = path.partition("/")
    package, slash, name = rest.rpartition("/")
    return Action(
        name=QualifiedName(Namespace(namespace), package if slash else None, name),
        exec=Exec(kind="python:3.11", code=LONG_CODE if name == "long" else "def main(a): pass"),
        parameters=(Parameter("p", {"☃": [1, 2.5, None, True]}), Parameter("s", "x", init=True)),
        annotations={"web-export": False},
        updated_ms=NOON_MS,
    )
