"""The budgets of all namespaces, as one controller knows them: asked before each invocation.

What is spent is read from the bill now and then, and what ends here is added at once; so a budget
is overrun by what was under way when it was spent, and by what other controllers have accepted
since the bill was read last. A threshold that is crossed is told once, by whichever controller
notes that in the budget's document. Where a trigger is told, what the threshold forbids is
forbidden behind that: the action that raises the alarm must not be stopped by it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from common import metrics
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.entity.budget import Budget, Level, Told
from common.ids import Namespace
from common.log import logger
from common.store.budgets import BudgetStore
from common.store.port import ActivationStore, StoreError
from controller.billing import budget as decide
from controller.billing.budget import Verdict
from controller.billing.price import PriceBook

Alert: TypeAlias = Callable[[Budget, Mapping[str, Any]], Awaitable[None]]
"""Fires the trigger of a budget with what happened."""

ALERT_S: Final = 5.0
"""How long the firing of a trigger may hold up what a threshold forbids."""
PAUSE_S: Final = 1.0
"""Between two looks at the bill, however many thresholds are crossed."""
_THRESHOLDS: Final[Mapping[Level, metrics.Threshold]] = {
    Level.WARNED: "warned",
    Level.THROTTLED: "throttled",
    Level.STOPPED: "stopped",
}
_LEVELS: Final[Mapping[Level, metrics.BudgetLevel]] = {Level.WITHIN: "within", **_THRESHOLDS}
_log: Final = logger(__name__)


class Asked(Protocol):
    """What is asked of budgets before an invocation is accepted."""

    def verdict(self, namespace: Namespace) -> Verdict | None:
        """Return what the budget of *namespace* says; None where it says nothing."""
        ...


class Shown(Protocol):
    """What `usage` tells of budgets."""

    def shown(self, namespace: Namespace) -> dict[str, Any] | None:
        """Return the budget of *namespace*, and what is spent of it; None if it has none."""
        ...


@dataclass(slots=True)
class _Account:
    """What is known of one budget."""

    budget: Budget
    period: str
    spent: int = 0
    at: Level = Level.WITHIN
    """What is in force."""
    meanwhile: int = 0
    """What has ended here since the bill began to be read."""
    is_doubted: bool = False
    """Whether the bill, when it was read last, said less than is in force."""


class Budgets:
    """Owned by one controller, which calls `refresh` before it serves and `run` while it does."""

    def __init__(
        self,
        store: BudgetStore,
        activations: ActivationStore,
        clock: Clock,
        book: PriceBook,
        *,
        check_s: float,
        alert: Alert | None = None,
    ) -> None:
        """Know of no budget yet.

        check_s: how often the bill is read. alert: None where triggers are not fired.
        """
        self._store = store
        self._activations = activations
        self._clock = clock
        self._book = book
        self._check_s = check_s
        self._alert = alert
        self._accounts: dict[Namespace, _Account] = {}
        self._is_crossed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Budgets of {len(self._accounts)} namespaces>"

    def verdict(self, namespace: Namespace) -> Verdict | None:
        """Return what the budget of *namespace* says; None where it says nothing."""
        account = self._accounts.get(namespace)
        if account is None or account.at < Level.THROTTLED:
            return None
        now_ms = self._clock.now_ms()
        if decide.span(account.budget, now_ms).name != account.period:
            return None  # a new month has begun, and its bill is read soon
        return decide.verdict(account.budget, account.spent, account.at, now_ms, self._book)

    def shown(self, namespace: Namespace) -> dict[str, Any] | None:
        """Return what `usage` tells of the budget of *namespace*; None if it has none."""
        account = self._accounts.get(namespace)
        if account is None:
            return None
        now_ms = self._clock.now_ms()
        return decide.shown(account.budget, account.spent, account.at, now_ms, self._book)

    def ended(self, record: ActivationRecord) -> None:
        """Count an activation that ended here. Takes no waiting, and raises nothing."""
        account = self._accounts.get(record.namespace)
        if account is None:
            return
        more = decide.added(account.budget, record, self._book)
        account.spent += more
        account.meanwhile += more
        reached = decide.level(account.budget, account.spent)
        if reached > account.at:
            if not self._is_told(account.budget):
                account.at = reached
            self._is_crossed.set()

    async def run(self) -> None:
        """Read the bill now and then, and when a threshold was crossed, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._check_s):
                    await self._is_crossed.wait()
            is_crossed = self._is_crossed.is_set()
            self._is_crossed.clear()
            try:
                if not is_crossed:
                    await self.refresh()
                for account in [*self._accounts.values()]:
                    await self._tell(account)
            except StoreError as error:
                # What is known stays in force, and what ends here is still added.
                _log.warning("budgets_not_read", why=str(error))
            except Exception:  # a mistake of ours must not end the watching of budgets
                _log.exception("budgets_failed_oddly")
            await asyncio.sleep(PAUSE_S)

    async def refresh(self) -> None:
        """Read all budgets and what is spent of them. Raises `StoreError`."""
        budgets = {each.namespace: each for each in await self._store.all()}
        for namespace, budget in budgets.items():
            await self._read(namespace, budget)
        for gone in self._accounts.keys() - budgets.keys():
            del self._accounts[gone]

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Have the gauges show how many budgets are at each level, while inside."""

        def at(level: Level) -> float:
            return sum(account.at is level for account in self._accounts.values())

        with metrics.shown(
            {metrics.BUDGETS[label]: partial(at, level) for level, label in _LEVELS.items()}
        ):
            yield

    async def _read(self, namespace: Namespace, budget: Budget) -> None:
        when = decide.span(budget, self._clock.now_ms())
        known = self._accounts.get(namespace)
        if known is not None:
            known.meanwhile = 0
        rows = await self._activations.usage(
            namespace, from_ms=when.start_ms, to_ms=when.end_ms, by="day"
        )
        spent = decide.spent(budget, rows, self._book)
        account = _Account(budget, when.name, spent, decide.level(budget, spent))
        if known is not None and known.period == when.name and _is_same(known.budget, budget):
            self._go_on(account, known)
        self._accounts[namespace] = account

    def _go_on(self, account: _Account, known: _Account) -> None:
        """Have *account*, of the bill, follow on *known*, of the same budget a moment before."""
        # An end that the bill has already and that we hear of only now counts twice until then.
        account.spent += known.meanwhile
        reached = decide.level(account.budget, account.spent)
        if reached > known.at and self._is_told(account.budget):
            told = account.budget.told
            is_told = told.period == account.period and told.level >= reached
            account.at = reached if is_told else known.at
        elif reached < known.at and not known.is_doubted:
            # Records may be on their way to the bill still: the next look decides.
            account.at, account.is_doubted = known.at, True
        else:
            account.at = reached

    def _is_told(self, budget: Budget) -> bool:
        return bool(budget.trigger) and self._alert is not None

    async def _tell(self, account: _Account) -> None:
        """Tell of the threshold that is reached, unless that was done; then it is in force."""
        budget = account.budget
        reached = decide.level(budget, account.spent)
        told = budget.told if budget.told.period == account.period else Told()
        if reached > told.level and await self._store.tell(
            budget, Told(period=account.period, level=reached)
        ):
            now_ms = self._clock.now_ms()
            event = decide.event(budget, account.spent, reached, now_ms, self._book)
            metrics.THRESHOLDS[_THRESHOLDS[reached]].inc()
            _log.warning(
                "budget_threshold_crossed",
                namespace=budget.namespace,
                level=event["level"],
                spent=event["text"],
                resets=event["resets"],
            )
            if self._alert is not None and budget.trigger:
                await self._fire(self._alert, budget, event)
        account.at = max(account.at, reached)

    async def _fire(self, alert: Alert, budget: Budget, event: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(ALERT_S):
                await alert(budget, event)
        except TimeoutError:
            _log.error("budget_alert_too_slow", namespace=budget.namespace, trigger=budget.trigger)
        except Exception:  # whatever a trigger comes to, the budget holds
            _log.exception("budget_alert_failed", namespace=budget.namespace)


def _is_same(one: Budget, other: Budget) -> bool:
    """Tell whether an operator has changed nothing between the two."""
    return replace(one, told=other.told, rev=other.rev) == other
