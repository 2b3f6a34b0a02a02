"""The budgets of namespaces, put together alike in both roots."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from common.clock import Clock
from common.service import serving
from common.settings import PriceSettings
from common.store.budgets import BudgetStore
from common.store.port import Stores
from controller.billing.book import book_of
from controller.billing.budgets import Budgets
from controller.events.budget_alert import BudgetAlert, Subjects
from controller.events.client import Client


@asynccontextmanager
async def budgets_of(
    settings: PriceSettings,
    stores: Stores,
    subjects: Subjects,
    clock: Clock,
    url: str,
    patiently: Callable[[Callable[[], Awaitable[None]]], Awaitable[object]] | None = None,
) -> AsyncIterator[Budgets]:
    """Yield what knows all budgets, and follows what is spent of them until the end of the block.

    url: of the API, by which triggers are fired.
    patiently: waits for a store that may not be there yet; None where it is.
    """
    client = Client(url, connections=2)
    budgets = Budgets(
        BudgetStore(stores.subjects),
        stores.activations,
        clock,
        book_of(settings),
        check_s=settings.budget_check_s,
        alert=BudgetAlert(subjects, client),
    )
    try:
        await (patiently(budgets.refresh) if patiently else budgets.refresh())
        with budgets.counted():
            async with serving(budgets.run()):
                yield budgets
    finally:
        await client.close()
