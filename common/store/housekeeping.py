"""Closes days and throws away what nobody needs any more, now and then, in one process at a time.

What to do is decided by `common.store.retention`; here it is done, under a lease. Whatever fails is
told and left for the next time: each step may be done again, by anybody.

Code that no action names goes, too, once it is old. An upload renews the date of its code before
an action names it, and large arguments lie with the code until their call has run; so what is
younger than `retention.code_h` stays, whoever names it. The names are read first, the date counts
from before that: what is named in between was written in between, and is young. What was named at
the last sweep stays, too: a call of an older revision may be under way.
"""

import asyncio
from collections.abc import Collection, Container, Mapping
from typing import Final

from common import metrics
from common.clock import Clock
from common.entity.action_document import NotAnAction, code_of
from common.entity.namespace_limits import RETENTION, limits_of
from common.entropy import Entropy
from common.ids import DocId, Namespace
from common.log import logger
from common.settings import RetentionSettings
from common.store.lease import Lease
from common.store.port import Corrupted, DocStore, Missing, StoreError, Stores, Unbalanced
from common.store.retention import Retention, Step, due, longest
from common.store.shard import DAY_MS, HOUR_MS, Shard, State
from common.store.subject_documents import limits_id

_SOON_S: Final = 60.0
"""After the start, and after something that has to be looked at again."""
_LEASE_MS: Final = 600_000
_SWEPT: Final = DocId("swept/code")
_BEGINNING: Final = 16
"""Digits of a digest that are kept from sweep to sweep; two that begin alike both stay."""
_log: Final = logger(__name__)


class Housekeeper:
    """Belongs to one event loop; its owner gives `run` a task.

    name: of this process, for people who look at the lease.
    for_others: whether places are made for processes that may make none.
    """

    def __init__(
        self,
        stores: Stores,
        settings: RetentionSettings,
        clock: Clock,
        *,
        name: str,
        for_others: bool = False,
    ) -> None:
        self._stores = stores
        self._days = stores.activations
        self._settings = settings
        self._keep = Retention(
            grace_ms=settings.grace_h * HOUR_MS,
            records_ms=settings.records_days * DAY_MS,
            sums_ms=settings.sums_days * DAY_MS,
        )
        self._clock = clock
        self._for_others = for_others
        # Another run of the same process is somebody else.
        holder = f"{name}-{Entropy().take(8).hex()}"
        self._lease = Lease(
            stores.meta, "housekeeping", holder=holder, lasts_ms=_LEASE_MS, clock=clock
        )

    def __repr__(self) -> str:
        return f"<Housekeeper {self._lease!r}>"

    async def run(self) -> None:
        """Keep house until cancelled."""
        check_s = self._settings.check_s
        is_soon = True
        while True:
            await asyncio.sleep(min(_SOON_S, check_s) if is_soon else check_s)
            is_soon = await self.once()

    async def once(self) -> bool:
        """Do what is due, unless another process does; tell whether more will be due soon."""
        try:
            if not await self._lease.take():
                return False
            is_soon = await self._keep_house()
            await self._lease.give_back()
            return is_soon
        except StoreError as error:
            _log.warning("housekeeping_put_off", why=str(error))
            return error.retryable
        except Exception:  # a mistake of ours must not end the closing of days for good
            _log.exception("housekeeping_failed_oddly")
            return False

    async def _keep_house(self) -> bool:
        is_soon = await self._close_days()
        try:
            if await self._lease.take():
                await self._sweep_now_and_then()
        except StoreError as error:
            _log.error("housekeeping_failed", step="sweep", why=str(error))
            return error.retryable
        return is_soon

    async def _close_days(self) -> bool:
        known = await self._days.shards()
        is_soon = False
        for step in await self._due(known):
            if not await self._lease.take():
                _log.warning("housekeeping_taken_over")
                return False
            try:
                is_soon = await self._do(step, known) or is_soon
            except StoreError as error:
                metrics.HOUSEKEEPING_FAILURES[step.kind].inc()
                day = step.shard.text
                _log.error("housekeeping_failed", step=step.kind, day=day, why=str(error))
                if error.retryable:
                    return True
        return is_soon

    async def _due(self, known: Mapping[Shard, State]) -> list[Step]:
        """Return what to do now. Raises `StoreUnavailable`: nothing goes that somebody may keep."""
        now_ms = self._clock.now_ms()
        steps = due(now_ms, known, self._keep, for_others=self._for_others)
        if any(step.kind == "drop" and known[step.shard] is State.SEALED for step in steps):
            keep = longest(self._keep, await _kept_days(self._stores.subjects))
            steps = due(now_ms, known, keep, for_others=self._for_others)
        return steps

    async def _do(self, step: Step, known: Mapping[Shard, State]) -> bool:
        """Do one step; tell whether it has to be gone on with soon."""
        shard = step.shard
        match step.kind:
            case "prepare":
                await self._days.prepare(shard)
            case "seal":
                return await self._seal(shard, known[shard])
            case "drop":
                await self._drop(shard)
                _log.info("day_dropped", day=shard.text)
            case "forget":
                await self._days.forget(shard)
                _log.info("sums_forgotten", day=shard.text)
        metrics.HOUSEKEEPING[step.kind].inc()
        return False

    async def _seal(self, shard: Shard, before: State) -> bool:
        report = await self._days.seal(shard)
        if report.state is State.SEALING:
            return True
        if before is not State.SEALED:
            metrics.HOUSEKEEPING["seal"].inc()
            _log.info(
                "day_sealed",
                day=shard.text,
                activations=report.activations,
                billed_ms=report.billed_ms,
                mb_ms=report.mb_ms,
            )
        return False

    async def _drop(self, shard: Shard) -> None:
        try:
            await self._days.drop(shard)
        except Unbalanced:
            # Records that came in while it was being closed are summed apart; then it balances.
            await self._days.seal(shard)
            await self._days.drop(shard)

    async def _sweep_now_and_then(self) -> None:
        """Throw away old code without a name, once a day."""
        now_ms = self._clock.now_ms()
        try:
            last = await self._stores.meta.get(_SWEPT)
        except Missing:
            last = None
        before = {} if last is None else last.body
        if last is not None and now_ms - int(before.get("ms", 0)) < DAY_MS:
            return
        try:
            named = await _named_code(self._stores.entities)
            number = await self._stores.blobs.sweep(
                _Live(named.union(before.get("named", ()))),
                older_than_ms=now_ms - self._settings.code_h * HOUR_MS,
            )
        except StoreError:
            metrics.HOUSEKEEPING_FAILURES["sweep"].inc()
            raise
        metrics.HOUSEKEEPING["sweep"].inc()
        metrics.SWEPT_BLOBS.inc(number)
        _log.info("code_swept", deleted=number, named=len(named))
        body = {"ms": now_ms, "named": sorted(named)}
        if last is None:
            await self._stores.meta.create(_SWEPT, body)
        else:
            await self._stores.meta.replace(_SWEPT, last.rev, body)


class _Live(Container[str]):
    """Code that is needed, known by the beginning of its digest."""

    def __init__(self, beginnings: Collection[str]) -> None:
        self._beginnings = beginnings

    def __contains__(self, digest: object) -> bool:
        return str(digest)[:_BEGINNING] in self._beginnings


async def _named_code(entities: DocStore) -> set[str]:
    """Return the beginning of the digest of all code that an action names.

    Raises `StoreUnavailable`, and `Corrupted` for a document that cannot be read: it may name code.
    """
    named: set[str] = set()
    async for doc in entities.every():
        try:
            digest = code_of(doc.body)
        except NotAnAction as error:
            raise Corrupted(f"The action {doc.id} cannot be read.") from error
        if digest is not None:
            named.add(digest[:_BEGINNING])
    return named


async def _kept_days(subjects: DocStore) -> list[int]:
    """Return for how many days namespaces keep their records that say so themselves.

    Raises `StoreUnavailable`, `Corrupted`.
    """
    beginning = limits_id(Namespace(""))
    return [
        limits_of(doc.body).number(RETENTION, 0)
        async for doc in subjects.every()
        if doc.id.startswith(beginning)
    ]
