"""Rules: create, update, read, delete, list, switch on and off.

Whether a rule is active is written in its trigger. So a rule is two documents, and is written in an
order in which no rule ever runs that nobody can see: it is made before it is linked, and unlinked
before it is deleted. What breaks off in between leaves a rule that is there and inactive.
"""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from common.entity.entity_change import changed_rule, new_rule, read_rule, read_status
from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.entity.rule import Rule, to_rest
from common.entity.trigger import Link, RuleStatus, Trigger
from common.errors import (
    NotAuthorized,
    ResourceExists,
    RuleActionUnreadable,
    RuleRefersToNothing,
    RuleWithoutTrigger,
    WrongCollection,
)
from common.store.port import Conflict, Corrupted, Missing
from controller.api.bounds import effective
from controller.api.collection_list import LIST_QUERY, counted
from controller.api.route import Query, Route
from controller.api.services import Services
from controller.edge import address, answers, content, query
from controller.edge.auth import IDENTITY
from controller.entitlement import rights
from controller.invoke import linking
from controller.invoke.linking import Change

ATTEMPTS: Final = 5
"""How often a trigger is read anew that others change meanwhile: its other rules are in it, too."""
_ROOT: Final = "/api/v1/namespaces/{namespace}/rules"
_ONE: Final = f"{_ROOT}/{{name}}"
_FOUND: Final = {
    200: "The rule, with its status.",
    404: "There is no such rule.",
    409: "It is something else.",
}


class Rules:
    """The collection `rules`."""

    def __init__(self, services: Services) -> None:
        self._rules = services.catalog.rules
        self._triggers = services.catalog.triggers
        self._resolver = services.resolver
        self._clock = services.clock
        self._limits = services.settings.limits

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            Route(
                method="GET",
                path=_ROOT,
                handler=self.list_all,
                shows={200: "RuleMeta[]"},
                summary="List the rules of a namespace, newest first",
                kind="rule",
                query=LIST_QUERY,
                answers={200: "The rules without their status, or how many there are."},
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path=_ONE,
                handler=self.get,
                shows={200: "Rule"},
                summary="Read a rule",
                kind="rule",
                answers=_FOUND,
            ),
            Route(
                method="PUT",
                path=_ONE,
                handler=self.put,
                takes="RulePut",
                shows={200: "Rule"},
                summary="Create or update a rule",
                kind="rule",
                query=(Query("overwrite", "boolean", "Update what exists; default false."),),
                body="trigger, action, annotations, version, publish.",
                answers={
                    200: "The rule as it is now; a new one is active.",
                    400: "The body is wrong, or its trigger or its action is not there.",
                    403: "Its trigger or its action is not open to the caller.",
                    404: "The package of its action is not there.",
                    409: "It exists, is something else, or was changed by somebody else meanwhile.",
                },
            ),
            Route(
                method="DELETE",
                path=_ONE,
                handler=self.delete,
                shows={200: "Rule"},
                summary="Delete a rule, active or not",
                kind="rule",
                answers=_FOUND,
            ),
            Route(
                method="POST",
                path=_ONE,
                handler=self.switch,
                takes="RuleStatus",
                summary="Switch a rule on or off",
                kind="rule",
                body="status: `active` or `inactive`.",
                answers={
                    200: "It is as was wanted: the text `OK`.",
                    400: "The body is wrong.",
                    404: "There is no such rule, or no trigger to switch it on for.",
                    409: "It is something else, or was changed by somebody else meanwhile.",
                },
            ),
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """List a namespace."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        page = query.page(request.query, "rules")
        if page.count:
            total = await self._rules.count(namespace)
            return answers.json(counted("rules", total, page))
        return answers.json(await self._rules.list(namespace, limit=page.limit, skip=page.skip))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer one rule."""
        rule = await self._rules.get(self._own(request))
        link = _link(await self._trigger(rule.trigger), rule.name)
        return answers.json(to_rest(rule, linking.shown(link)))

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Create or update one rule, and answer what it is now."""
        identity, name = request[IDENTITY], self._own(request)
        may_overwrite = query.boolean(request.query, "overwrite", default=False)
        body = await content.document(request, limit_bytes=self._limits.max_request_bytes)
        most_bytes = effective(self._limits, identity.own).max_parameters_bytes
        change = read_rule(body, name.namespace, most_bytes)
        await self._admit(identity, change.trigger, change.action)
        stored = await self._rules.existing(name)
        if stored is not None and not may_overwrite:
            raise ResourceExists
        now_ms = self._clock.now_ms()
        if stored is None:
            return await self._made(identity, new_rule(name, change, updated_ms=now_ms))
        wanted = changed_rule(stored, change, updated_ms=now_ms)
        return await self._changed(identity, stored, wanted)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete one rule, and answer what it was."""
        rule = await self._rules.newest(self._own(request))
        await self._unlink(rule)
        await self._rules.delete(rule)
        await self._unlink(rule)  # who has updated it meanwhile may have linked it again
        return answers.json(to_rest(rule, RuleStatus.INACTIVE))

    async def switch(self, request: web.Request) -> web.StreamResponse:
        """Switch one rule on or off; the rule's own document is not touched."""
        name = self._own(request)
        body = await content.document(request, limit_bytes=self._limits.max_request_bytes)
        wanted = read_status(body)
        rule = await self._rules.get(name)
        is_there = await self._relink(
            rule.trigger, lambda trigger: linking.switched(trigger, rule, wanted)
        )
        if not is_there and wanted is RuleStatus.ACTIVE:
            raise RuleWithoutTrigger
        if wanted is RuleStatus.ACTIVE:
            await self._require_seen(rule)
        return answers.done()

    async def _made(self, identity: Identity, rule: Rule) -> web.Response:
        await self._require_ends(identity, rule)
        await self._rules.write(rule, None)
        link = linking.written(rule, Change.MADE, None)
        await self._linked(rule, link)
        return answers.json(to_rest(rule, link.status))

    async def _changed(self, identity: Identity, stored: Rule, wanted: Rule) -> web.Response:
        """Write *wanted* over *stored*; it is as active as before."""
        await self._require_ends(identity, wanted)
        before = _link(await self._trigger(stored.trigger), stored.name)
        if wanted.trigger != stored.trigger:
            await self._unlink(stored)
        await self._rules.write(wanted, stored.rev)
        link = linking.written(wanted, Change.WRITTEN, before)
        await self._linked(wanted, link)
        return answers.json(to_rest(wanted, link.status))

    async def _linked(self, rule: Rule, link: Link) -> None:
        """Hang *rule* on its trigger. Raises `RuleRefersToNothing`, `Conflict`."""
        if not await self._relink(rule.trigger, lambda trigger: trigger.with_link(rule.name, link)):
            raise RuleRefersToNothing("trigger", str(rule.trigger))
        await self._require_seen(rule)

    async def _require_seen(self, rule: Rule) -> None:
        """Take a rule off its trigger that was deleted meanwhile: nothing is to run unseen.

        Raises `Conflict` then.
        """
        try:
            is_there = await self._rules.existing(rule.name) is not None
        except WrongCollection:
            is_there = False
        if not is_there:
            await self._unlink(rule)
            raise Conflict

    async def _unlink(self, rule: Rule) -> None:
        """Take *rule* off its trigger, if it is on it. Raises `Conflict`."""
        await self._relink(rule.trigger, lambda trigger: linking.unlinked(trigger, rule))

    async def _relink(self, name: QualifiedName, change: Callable[[Trigger], Trigger]) -> bool:
        """Write what *change* makes of the trigger *name*, if that is something else.

        Returns whether there is such a trigger. Raises `Conflict` when others always come first.
        """
        for attempt in range(1, ATTEMPTS + 1):
            trigger = await self._trigger(name)
            if trigger is None:
                return False
            wanted = change(trigger)
            if wanted == trigger:
                return True
            try:
                await self._triggers.write(wanted, trigger.rev)
            except Missing:
                return False
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
            else:
                return True
        raise AssertionError("the last attempt returns or raises")

    async def _trigger(self, name: QualifiedName) -> Trigger | None:
        """Return the trigger *name* as it is stored; None where there is none."""
        try:
            return await self._triggers.existing(name)
        except WrongCollection:
            return None

    async def _admit(self, identity: Identity, *ends: QualifiedName | None) -> None:
        """Refuse what the caller may not use, all of it at once.

        Raises `NotAuthorized`, `NoSuchResource`, `WrongCollection`.
        """
        forbidden = []
        for name in ends:
            if name is None:
                continue
            try:
                await self._resolver.admit(identity, name)
            except NotAuthorized:
                forbidden.append(f"{name.namespace}/{name.package or name.name}")
        if forbidden:
            raise NotAuthorized(forbidden)

    async def _require_ends(self, identity: Identity, rule: Rule) -> None:
        """Refuse a rule whose trigger, or then whose action, is not there.

        Raises `RuleRefersToNothing`, `RuleActionUnreadable`, and what `Resolver.resolve` raises.
        """
        if await self._trigger(rule.trigger) is None:
            raise RuleRefersToNothing("trigger", str(rule.trigger))
        try:
            await self._resolver.resolve(identity, rule.action)
        except (Missing, WrongCollection) as error:
            raise RuleRefersToNothing("action", str(rule.action)) from error
        except Corrupted as error:
            raise RuleActionUnreadable from error

    def _own(self, request: web.Request) -> QualifiedName:
        name = address.entity(request)
        rights.own_entity(request[IDENTITY], name)
        return name


def _link(trigger: Trigger | None, rule: QualifiedName) -> Link | None:
    return None if trigger is None else trigger.link(rule)
