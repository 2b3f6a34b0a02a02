"""Three subjects around one namespace: keys in a store of keys, and the API over it.

Ann has two namespaces, `ann` and `team`, each with a key; Bob has `bob`; Gus, of `gus`, is blocked.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from common.ids import Namespace, Subject
from common.settings import StreamSettings, ThrottleSettings
from common.store.secrets_file import InstallationSecret
from common.store.subject_admin import SubjectAdmin
from common.store.subjects import LIFETIMES, SubjectStore
from tests.fakes.clock import FakeClock
from tests.fakes.records import a_record, an_action, an_id
from tests.fakes.running_api import Api, MemoryDocs, authorization, running_api

SECRET = InstallationSecret(b"s" * 32)
SUBJECTS = {"ann": "ann", "team": "ann", "bob": "bob", "gus": "gus"}
"""Who has each namespace."""
CODE = {"exec": {"kind": "python:default", "code": "x = 1"}}
NEVER = "nosuch"
"""The name of nothing, in any collection."""
ROOT = "/api/v1/namespaces"
MANAGEMENT = "/api/v1/web/whisk.system/apimgmt"
RECORD = f"activations/{an_id()}"
NO_RECORD = f"activations/{an_id(1)}"


def web_code(**more: Any) -> dict[str, Any]:
    annotations = {"web-export": True} | {key.replace("_", "-"): more[key] for key in more}
    listed = [{"key": key, "value": value} for key, value in annotations.items()]
    return CODE | {"annotations": listed}


def binding(name: str) -> dict[str, Any]:
    return {"binding": {"namespace": "ann", "name": name}}


class Answer(NamedTuple):
    status: int
    body: Any

    @property
    def words(self) -> Any:
        """The body, but for what differs each time: the transaction's id, and times."""
        if not isinstance(self.body, dict):
            return self.body
        return {key: value for key, value in self.body.items() if key not in ("code", "updated")}


@dataclass
class World:
    api: Api
    admin: SubjectAdmin
    clock: FakeClock
    """Of the store of keys: what others change is seen when it has gone on."""

    async def ask(self, who: str | None, method: str, path: str, body: Any = None) -> Answer:
        """Ask with the key of namespace *who*; None is nobody's. The path is below `ann`."""
        where = path if path.startswith("/") else f"{ROOT}/ann/{path}"
        headers = {"Authorization": authorization(auth(who)) if who else None}
        if method in ("PUT", "POST") and body is None:
            body = {}
        status, answer, _ = await self.api.ask(method, where, body, headers=headers)
        return Answer(status, answer)

    async def put(self, who: str, path: str, body: Any = None) -> None:
        answer = await self.ask(who, "PUT", f"{ROOT}/{who}/{path}?overwrite=true", body)
        assert answer.status == 200, answer

    async def block(self, subject: str, *, is_blocked: bool) -> None:
        await self.admin.block(Subject(subject), is_blocked=is_blocked)
        self.clock.advance(s=LIFETIMES.fresh_s + 1)

    @property
    def stored(self) -> dict[Any, Any]:
        return dict(self.api.docs.docs)


def auth(namespace: str) -> str:
    """Return the key of *namespace*."""
    number = list(SUBJECTS).index(namespace)
    return f"23bc46b1-71f6-4ed5-8c54-816aa4f8c50{number}:" + f"{number}" * 64


@asynccontextmanager
async def world_of_three() -> AsyncIterator[World]:
    """Serve the API to Ann, Bob and Gus, until the end of the block."""
    docs, clock = MemoryDocs(), FakeClock()
    admin = SubjectAdmin(docs, SECRET, clock)
    for namespace, subject in SUBJECTS.items():
        await admin.create(Subject(subject), Namespace(namespace), *auth(namespace).split(":"))
    await admin.block(Subject("gus"), is_blocked=True)
    subjects = SubjectStore(docs, SECRET, ThrottleSettings(), clock=clock)
    async with running_api(subjects=subjects, stream=StreamSettings(max_streams=0)) as api:
        made = World(api, admin, clock)
        await _furnish(made)
        yield made


async def _furnish(world: World) -> None:
    await world.put("ann", "actions/act", CODE)
    for package, is_shared in (("shared", True), ("closed", False)):
        await world.put("ann", f"packages/{package}", {"publish": is_shared})
        await world.put("ann", f"actions/{package}/act", web_code())
    await world.put("ann", "packages/bound", {"publish": True} | binding("shared"))
    await world.put("ann", "triggers/tr")
    await world.put("ann", "rules/ru", {"trigger": "/ann/tr", "action": "/ann/act"})
    document = {"swagger": "2.0", "info": {"title": "x"}, "basePath": "/letters", "paths": {}}
    apidoc = {"namespace": "_", "swagger": document}
    made = await world.ask("ann", "POST", f"{MANAGEMENT}/createApi.http", {"apidoc": apidoc})
    assert made.status == 200, made
    await world.put("bob", "triggers/tr")
    await world.put("bob", "actions/act", CODE)
    record = a_record(namespace=Namespace("ann"), action=an_action("act", "ann"))
    world.api.activations.put(record)
