"""Entities under histories that nobody would think of, with a store that fails between two writes.

The model says what each request is answered, and what is there afterwards. Where the store fails,
nobody knows how far a request came: then the model is read anew from the documents, and what must
hold at any moment is checked on them.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from common.ids import DocId
from common.store.port import StoreUnavailable
from tests.fakes.running_api import Api, running_api

CODE: Final = {"exec": {"kind": "python:3.11", "code": "x = 1"}}
ACTIONS: Final = st.sampled_from(["a", "x"])
PACKAGES: Final = st.sampled_from(["p", "p", "q", "x"])
TRIGGERS: Final = st.sampled_from(["t", "t", "t", "u", "x"])
RULES: Final = st.sampled_from(["r", "r", "r", "s", "x"])
"""All kinds share one space of names: everything may be called `x`."""
TARGETS: Final = st.sampled_from(["a", "a", "a", "p/x", "q/x", "x"])
COLLECTIONS: Final = {
    "action": "actions", "package": "packages", "trigger": "triggers", "rule": "rules",
}  # fmt: skip
NAMED: Final = st.one_of(
    st.tuples(st.just("action"), ACTIONS),
    st.tuples(st.just("package"), PACKAGES),
    st.tuples(st.just("trigger"), TRIGGERS),
    st.tuples(st.just("rule"), RULES),
)


@dataclass
class Held:
    """What the model knows of an entity."""

    kind: str
    version: int = 1
    binding: str | None = None
    """Of a package, the name of another."""
    trigger: str = ""
    action: str = ""
    """Of a rule."""
    links: dict[str, tuple[str, bool]] | None = None
    """Of a trigger: rule to its action, and whether it is active."""


@dataclass
class Model:
    """All entities of the namespace, by `name` or `package/name`."""

    held: dict[str, Held] = field(default_factory=dict)

    def is_kind(self, name: str, kind: str) -> bool:
        return name in self.held and self.held[name].kind == kind

    def opened(self, package: str) -> tuple[int, str]:
        """Return what naming something in *package* is answered, and where that something is."""
        named = self.held.get(package)
        if named is None or named.kind != "package":
            return (404, "") if named is None else (409, "")
        if named.binding is None:
            return 200, package
        if named.binding == package:
            return 422, ""
        provider = self.held.get(named.binding)
        if provider is None or provider.kind != "package":
            return (404, "") if provider is None else (409, "")
        return (200, named.binding) if provider.binding is None else (422, "")

    def runs(self, action: str) -> bool:
        """Tell whether invoking *action* is accepted."""
        package, slash, name = action.rpartition("/")
        if not slash:
            return self.is_kind(action, "action")
        status, home = self.opened(package)
        return status == 200 and f"{home}/{name}" in self.held

    def status(self, rule_name: str) -> str:
        """Return the status of a rule."""
        links = self.links(self.held[rule_name].trigger) or {}
        return "active" if links.get(rule_name, ("", False))[1] else "inactive"

    def links(self, trigger: str) -> dict[str, tuple[str, bool]] | None:
        """Return the links of a trigger, which may not be there."""
        return self.held[trigger].links if self.is_kind(trigger, "trigger") else None


def read(api: Api) -> Model:
    """Return the model that the documents are."""
    model = Model()
    for doc_id, doc in api.docs.docs.items():
        body, name = doc.body, doc_id.removeprefix("guest/")
        held = Held(body["entityType"], int(body["version"].rpartition(".")[2]))
        held.binding = (body.get("binding") or {}).get("name")
        if held.kind == "rule":
            held.trigger, held.action = _reference(body["trigger"]), _reference(body["action"])
        if "rules" in body:
            held.links = {
                key.removeprefix("guest/"): (_reference(link["action"]), link["status"] == "active")
                for key, link in body["rules"].items()
            }
        model.held[name] = held
    return model


def _reference(shown: dict[str, str]) -> str:
    return f"{shown['path']}/{shown['name']}".removeprefix("guest/")


class EntityMachine(RuleBasedStateMachine):
    """Sends requests, and compares what they are answered and what is stored with the model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.runner = asyncio.Runner()
        self.context = running_api()
        self.api = self.runner.run(self.context.__aenter__())

    def teardown(self) -> None:
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        status, answer, _ = self.runner.run(self.api.ask(method, f"~/{path}", body))
        assert status not in (500, 502), answer
        return status, answer

    def written(self, name: str, kind: str, *, overwrite: bool) -> int:
        """Return what writing *name* is answered before its contents are looked at."""
        if name not in self.model.held:
            return 200
        if self.model.held[name].kind != kind:
            return 409
        return 200 if overwrite else 409

    @initialize()
    def begin_with_one_of_each(self) -> None:
        for named in (("trigger", "t"), ("action", "a"), ("package", "p")):
            self.put_plain(named, over=False)
        self.put_packaged("p", over=False)
        self.put_rule("r", "t", "a", over=False)

    @rule(named=NAMED.filter(lambda named: named[0] != "rule"), over=st.booleans())
    def put_plain(self, named: tuple[str, str], over: bool) -> None:
        kind, name = named
        expected = self.written(name, kind, overwrite=over)
        path = f"{COLLECTIONS[kind]}/{name}?overwrite={str(over).lower()}"
        status, answer = self.ask("PUT", path, CODE if kind == "action" else {})
        assert status == expected, answer
        if status == 200:
            held = self.model.held.setdefault(name, Held(kind, 0))
            held.version += 1
            assert answer["version"] == f"0.0.{held.version}"

    @rule(package=PACKAGES, over=st.booleans())
    def put_packaged(self, package: str, over: bool) -> None:
        found = self.model.held.get(package)
        if found is None or found.kind != "package":
            expected = 404 if found is None else 409
        elif found.binding is not None:
            expected = 400
        else:
            expected = self.written(f"{package}/x", "action", overwrite=over)
        path = f"actions/{package}/x?overwrite={str(over).lower()}"
        status, answer = self.ask("PUT", path, CODE)
        assert status == expected, answer
        if status == 200:
            self.model.held.setdefault(f"{package}/x", Held("action", 0)).version += 1

    @rule(name=PACKAGES, provider=PACKAGES, over=st.booleans())
    def bind(self, name: str, provider: str, over: bool) -> None:
        bound, stored = self.model.held.get(provider), self.model.held.get(name)
        body = {"binding": {"namespace": "_", "name": provider}}
        path = f"packages/{name}?overwrite={str(over).lower()}"
        status, answer = self.ask("PUT", path, body)
        can_write = self.written(name, "package", overwrite=over) == 200
        can_bind = bound is not None and bound.kind == "package" and bound.binding is None
        may_become = stored is None or stored.binding is not None
        assert (status == 200) is (can_write and can_bind and may_become), answer
        if status == 200:
            held = self.model.held.setdefault(name, Held("package", 0))
            held.version, held.binding = held.version + 1, provider

    @rule(name=RULES, trigger=TRIGGERS, action=TARGETS, over=st.booleans())
    def put_rule(self, name: str, trigger: str, action: str, over: bool) -> None:
        body = {"trigger": f"/_/{trigger}", "action": f"/_/{action}"}
        package, slash, _ = action.rpartition("/")
        admitted = self.model.opened(package)[0] if slash else 200
        expected = admitted if admitted != 200 else self.written(name, "rule", overwrite=over)
        if expected == 200:
            has_ends = self.model.is_kind(trigger, "trigger") and self.model.runs(action)
            expected = 200 if has_ends else 400
        path = f"rules/{name}?overwrite={str(over).lower()}"
        status, answer = self.ask("PUT", path, body)
        assert status == expected, answer
        if status == 200:
            self._link(name, trigger, action)
            assert answer["status"] == self.model.status(name)

    def _link(self, name: str, trigger: str, action: str) -> None:
        is_new = name not in self.model.held
        is_active = is_new or self.model.status(name) == "active"
        held = self.model.held.setdefault(name, Held("rule", 0))
        if not is_new and held.trigger != trigger:
            (self.model.links(held.trigger) or {}).pop(name, None)
        held.version, held.trigger, held.action = held.version + 1, trigger, action
        links = self.model.held[trigger].links or {}
        self.model.held[trigger].links = links | {name: (action, is_active)}

    @rule(name=RULES, status=st.sampled_from(["active", "inactive"]))
    def switch(self, name: str, status: str) -> None:
        heard, answer = self.ask("POST", f"rules/{name}", {"status": status})
        held = self.model.held.get(name)
        if held is None or held.kind != "rule":
            assert heard == (404 if held is None else 409)
            return
        has_trigger = self.model.is_kind(held.trigger, "trigger")
        assert heard == (200 if has_trigger or status == "inactive" else 404), answer
        if has_trigger and self.model.status(name) != status:
            links = self.model.held[held.trigger].links or {}
            action = links[name][0] if name in links else held.action
            self.model.held[held.trigger].links = links | {name: (action, status == "active")}

    @rule(named=NAMED, force=st.booleans())
    def delete(self, named: tuple[str, str], force: bool) -> None:
        kind, name = named
        query = "?force=true" if force and kind == "package" else ""
        status, answer = self.ask("DELETE", f"{COLLECTIONS[kind]}/{name}{query}")
        held = self.model.held.get(name)
        if held is None or held.kind != kind:
            assert status == (404 if held is None else 409), answer
            return
        is_full = kind == "package" and held.binding is None and f"{name}/x" in self.model.held
        assert status == (409 if is_full and not force else 200), answer
        if status == 200:
            if held.binding is None:
                self.model.held.pop(f"{name}/x", None)
            (self.model.links(held.trigger) or {}).pop(name, None)
            del self.model.held[name]

    @rule(package=PACKAGES)
    def delete_packaged(self, package: str) -> None:
        status, answer = self.ask("DELETE", f"actions/{package}/x")
        found = self.model.held.get(package)
        if found is None or found.kind != "package":
            assert status == (404 if found is None else 409), answer
        elif found.binding is not None:
            assert status == 400, answer
        else:
            assert status == (200 if f"{package}/x" in self.model.held else 404), answer
            self.model.held.pop(f"{package}/x", None)

    @rule(named=NAMED)
    def get(self, named: tuple[str, str]) -> None:
        kind, name = named
        status, shown = self.ask("GET", f"{COLLECTIONS[kind]}/{name}")
        held = self.model.held.get(name)
        if held is None or held.kind != kind:
            assert status == (404 if held is None else 409), shown
        elif kind == "package" and self.model.opened(name)[0] != 200:
            assert status == self.model.opened(name)[0], shown
        else:
            assert (status, shown["version"]) == (200, f"0.0.{held.version}")
            assert kind != "rule" or shown["status"] == self.model.status(name)

    @rule(name=TRIGGERS)
    def fire(self, name: str) -> None:
        self.api.activations.records.clear()
        status, answer = self.ask("POST", f"triggers/{name}", {})
        held = self.model.held.get(name)
        if held is None or held.kind != "trigger":
            assert status == (404 if held is None else 409), answer
            return
        links = held.links or {}
        is_heard = any(is_active for _, is_active in links.values())
        assert status == (202 if is_heard else 204), answer
        lines = [
            json.loads(each) for record in self.api.activations.records for each in record.logs
        ]
        told = {line["rule"].removeprefix("guest/"): line["success"] for line in lines}
        expected = {
            key: is_active and self.model.runs(action) for key, (action, is_active) in links.items()
        }
        assert told == (expected if is_heard else {})

    @rule(
        what=st.sampled_from(["make", "move", "delete", "switch", "empty"]),
        name=st.sampled_from(["r", "r", "s"]),
        package=PACKAGES,
        trigger=TRIGGERS,
        action=TARGETS,
        writes=st.integers(0, 2),
        is_done=st.booleans(),
    )
    def fail(
        self,
        what: str,
        name: str,
        package: str,
        trigger: str,
        action: str,
        writes: int,
        is_done: bool,
    ) -> None:
        """Have the store go after some writes; the one it goes at may have been done."""
        body = {"trigger": f"/_/{trigger}", "action": f"/_/{action}"}
        method, path, sent = {
            "make": ("PUT", f"rules/{name}", body),
            "move": ("PUT", f"rules/{name}?overwrite=true", body),
            "delete": ("DELETE", f"rules/{name}", None),
            "switch": ("POST", f"rules/{name}", {"status": "active"}),
            "empty": ("DELETE", f"packages/{package}?force=true", None),
        }[what]
        with failing(self.api, writes, is_done=is_done):
            self.ask(method, path, sent)
        self.model = read(self.api)

    @invariant()
    def what_is_stored_is_the_model(self) -> None:
        assert read(self.api) == self.model

    @invariant()
    def nothing_runs_that_nobody_sees(self) -> None:
        for name, held in self.model.held.items():
            for linked in held.links or {}:
                assert self.model.is_kind(linked, "rule"), f"{linked} hangs on {name} unseen"
                assert self.model.held[linked].trigger == name

    @invariant()
    def nothing_lies_in_a_package_that_is_not_there(self) -> None:
        for name in self.model.held:
            package, slash, _ = name.rpartition("/")
            assert not slash or self.model.is_kind(package, "package")


@contextmanager
def failing(api: Api, writes: int, *, is_done: bool) -> Iterator[None]:
    """Have the store do *writes* more writes, and then fail.

    is_done: whether the write that it fails at is made all the same, without being heard of.
    """
    docs, left = api.docs, writes
    originals = {name: getattr(docs, name) for name in ("create", "replace", "delete")}

    def wrapped(name: str) -> Any:
        async def write(doc_id: DocId, *given: Any) -> Any:
            nonlocal left
            left -= 1
            if left >= 0 or (left == -1 and is_done):
                done = await originals[name](doc_id, *given)
                if left >= 0:
                    return done
            raise StoreUnavailable

        return write

    for name in originals:
        setattr(docs, name, wrapped(name))
    try:
        yield
    finally:
        for name in originals:
            delattr(docs, name)


EntityMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestEntities = EntityMachine.TestCase
