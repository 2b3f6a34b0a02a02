"""Makes the changes of a plan, one after the other, and says how far it came."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cli import feeds
from cli.apis import described
from cli.configuration import Configuration
from cli.failures import GENERAL, Failure, Remedy
from cli.jsontext import Json, encode
from cli.names import OWN, parse_entity
from cli.project.apis import endpoint_of, part_of
from cli.project.bodies import bodies
from cli.project.entity import Entity, Kind
from cli.project.feeding import FEED_DIGEST
from cli.project.looking import named
from cli.project.plan import Change, Plan
from cli.shapes import FEED

if TYPE_CHECKING:
    from cli.client import Client

TRIES: Final = 4
PAUSE_S: Final = 1.0
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_CONCURRENT: Final = "Concurrent modification"
_OF_THE_FEED: Final = frozenset({FEED, f"annotations.{FEED_DIGEST}"})
_SHOWN: Final = 4
"""How many changes that were not made an error names."""


class Builder:
    """Obeys plans.

    config: whom it talks to, and with what feeds and APIs are told to act.
    done: is told each change when it is made; note: what people should know.
    """

    def __init__(
        self,
        client: "Client",
        config: Configuration,
        done: Callable[[Change], None],
        note: Callable[[str], None],
        namespace: str = OWN,
    ) -> None:
        self._client = client
        self._config = config
        self._done = done
        self._note = note
        self._namespace = namespace

    def carry_out(self, plan: Plan) -> None:
        """Make every change. Raises `Failure` at the first that fails: what is done stays done."""
        for position, change in enumerate(plan.changes):
            try:
                self._make(change)
            except Failure as failure:
                raise _stopped(plan, position, failure) from failure
            self._done(change)

    def configuration_of(self, trigger: Entity) -> dict[str, Json] | None:
        """Return what the feed of *trigger* says it was given; None when it does not say."""
        try:
            value = self._tell_feed(trigger, "READ")
        except Failure as failure:
            self._note(f"the feed of trigger '{trigger.name}': {failure.text}")
            return None
        result = ((value.get("response") or {}).get("result") or {}) if value else {}
        given = result.get("config") if isinstance(result, dict) else None
        return given if isinstance(given, dict) else None

    def _make(self, change: Change) -> None:
        wanted = change.wanted
        if wanted is None:
            assert change.present, "what goes is there"
            self._delete(change.present)
        elif wanted.kind is Kind.TRIGGER:
            self._write_trigger(wanted, change)
        elif wanted.kind is Kind.RULE:
            self._write_rule(wanted, change)
        elif wanted.kind is Kind.API:
            self._write_api(wanted)
        else:
            self._put(wanted, change.present)

    def _put(self, wanted: Entity, present: Entity | None) -> None:
        for body in bodies(wanted, present):
            self._again(lambda sent=body: self._client.put(  # type: ignore[misc]
                wanted.kind.collection, named(wanted, self._namespace), sent, overwrite=True
            ))  # fmt: skip

    def _write_rule(self, wanted: Entity, change: Change) -> None:
        if change.fields != ("status",):
            self._put(wanted, change.present)
        name = named(wanted, self._namespace)
        self._again(lambda: self._client.set_rule_status(name, str(wanted.fields["status"])))

    def _write_trigger(self, wanted: Entity, change: Change) -> None:
        """Write a trigger; its feed hears that the old one is gone, and that a new one is there.

        What the feed was not told is not its business.
        """
        present = change.present
        is_told = present is None or not _OF_THE_FEED.isdisjoint(change.fields)
        if present is not None and is_told and FEED in present.fields:
            self._forget(present)
        self._put(wanted, present)
        if FEED not in wanted.fields or not is_told:
            return
        try:
            self._tell_feed(wanted, "CREATE")
        except Failure:
            # As `trigger create` has it: a trigger whose feed does not know it is none.
            self._client.delete("triggers", named(wanted, self._namespace))
            raise

    def _write_api(self, wanted: Entity) -> None:
        fields, config = wanted.fields, self._config
        if "document" in fields:
            apidoc: dict[str, Json] = {
                "namespace": OWN,
                "swagger": encode(fields["document"]).decode(),
            }
            self._client.create_api(apidoc, config.gateway_query, "json")
            return
        response = str(fields["response"])
        apidoc = described(
            endpoint_of(wanted), config.host_url, config.auth, response, fields["secret"]
        )
        self._client.create_api(apidoc, config.gateway_query, response)

    def _delete(self, present: Entity) -> None:
        if present.kind is Kind.API:
            self._client.delete_api(self._config.gateway_query | part_of(present))
            return
        if present.kind is Kind.TRIGGER and FEED in present.fields:
            self._forget(present)
        try:
            name = named(present, self._namespace)
            self._again(lambda: self._client.delete(present.kind.collection, name))
        except Failure as failure:
            if failure.status != _NOT_FOUND:  # Somebody was faster; it is gone.
                raise

    def _forget(self, present: Entity) -> None:
        try:
            self._tell_feed(present, "DELETE")
        except Failure as failure:
            # A feed that is gone must not keep its triggers alive.
            self._note(f"the feed of trigger '{present.name}': {failure.text}")

    def _tell_feed(self, trigger: Entity, event: feeds.Event) -> dict[str, Json]:
        feed = parse_entity(str(trigger.fields[FEED]))
        sent = trigger.table("parameters") if event == "CREATE" else {}
        payload = feeds.call(event, named(trigger, self._namespace), self._config.auth, sent)
        outcome = self._client.invoke(feed, payload, blocking=True, result=False)
        if outcome.is_pending or outcome.has_failed:
            how = "has not yet finished" if outcome.is_pending else "failed"
            raise Failure(
                f"the feed {feed} {how} (activation {outcome.activation_id})",
                shows_usage=False,
                remedy=Remedy(fix=f"brisk activation get {outcome.activation_id}"),
            )
        return outcome.value if isinstance(outcome.value, dict) else {}

    def _again(self, request: Callable[[], Json]) -> None:
        """Make *request*; again, a few times, when somebody else wrote at the same moment."""
        for attempt in range(TRIES):
            try:
                request()
            except Failure as failure:
                is_race = failure.status == _CONFLICT and _CONCURRENT in failure.text
                if not is_race or attempt + 1 == TRIES:
                    raise
                time.sleep(PAUSE_S)
            else:
                return


def _stopped(plan: Plan, position: int, failure: Failure) -> Failure:
    """Return *failure* of one change as the end of a deployment: what is done, and what is not."""
    change = plan.changes[position]
    left = [str(one) for one in plan.changes[position:]]
    shown = ", ".join(left[:_SHOWN]) + (f" and {len(left) - _SHOWN} more" if left[_SHOWN:] else "")
    why = f"{position} of {len(plan.changes)} changes were made, and stay; not made: {shown}"
    if failure.remedy.why:
        why = f"{failure.remedy.why}. {why}"
    fix = failure.remedy.fix
    again = "then the same command again: it goes on from here"
    stopped = failure.within(f"Unable to {change.verb} {_quoted(change.entity)}", shows_usage=False)
    remedy = Remedy(why, f"{fix}; {again}" if fix else "the same command again goes on from here")
    return replace(stopped, exit_code=GENERAL, remedy=remedy, missing=None)


def _quoted(entity: Entity) -> str:
    return f"{entity.kind} '{entity.name}'"
