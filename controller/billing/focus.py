"""Usage as rows of FOCUS, the FinOps Open Cost and Usage Specification, version 1.0.

Two charges for each action and day: its activations, and the memory that they reserved. Amounts are
decimal numbers without rounding, so that a sum of rows is the bill. A column that Brisk has nothing
to say in is left out; one that the specification wants, and that is empty, is null.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from common.ids import Namespace
from common.store.port import UsageRow
from controller.billing.price import (
    EXACT,
    MB_MS_IN_GB_S,
    MILLION,
    PriceBook,
    cost_of,
    exact,
)

Charge: TypeAlias = dict[str, str | None]

NO_CURRENCY: Final = "XXX"
"""The code of ISO 4217 where no currency is involved."""
SERVICE: Final = "Brisk Functions"
COLUMNS: Final = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass",
    "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory",
    "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ResourceId",
    "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "SkuId", "SkuPriceId",
    "SubAccountId", "SubAccountName", "Tags",
)  # fmt: skip
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def charges(
    rows: Iterable[UsageRow], namespace: Namespace, book: PriceBook, *, provider: str
) -> Iterator[Charge]:
    """Yield the charges of *rows*, which are by day; each has every one of `COLUMNS`.

    provider: who sells this, and writes the bill.
    """
    for row in rows:
        price = book.at(row.period)
        cost = cost_of(row, price)
        common = _common(row, namespace, book, provider)
        yield common | _charge(
            "activations", "Invocations", Decimal(row.activations), cost.activations,
            exact_price(price.million_activations_micros), price.from_day,
        )  # fmt: skip
        yield common | _charge(
            "memory", "GB-Seconds", gb_s(row.mb_ms), cost.memory,
            exact_price(price.million_gb_s_micros), price.from_day,
        )  # fmt: skip


def exact_price(million_micros: int) -> Decimal:
    """Return the price of one, in the currency, of so many micros for a million."""
    return EXACT.divide(Decimal(million_micros), Decimal(MILLION * MILLION))


def gb_s(mb_ms: int) -> Decimal:
    """Return *mb_ms* in GB-seconds, without rounding."""
    return EXACT.divide(Decimal(mb_ms), Decimal(MB_MS_IN_GB_S))


def _charge(
    sku: str, unit: str, quantity: Decimal, units: int, unit_price: Decimal, from_day: str
) -> Charge:
    cost, number, each = (_plain(value) for value in (exact(units), quantity, unit_price))
    return {
        "BilledCost": cost, "ContractedCost": cost, "EffectiveCost": cost, "ListCost": cost,
        "ContractedUnitPrice": each, "ListUnitPrice": each,
        "ConsumedQuantity": number, "ConsumedUnit": unit,
        "PricingQuantity": number, "PricingUnit": unit,
        "ChargeDescription": f"{unit} of a function",
        "SkuId": sku, "SkuPriceId": f"{sku}/{from_day or 'free'}",
    }  # fmt: skip


def _common(row: UsageRow, namespace: Namespace, book: PriceBook, provider: str) -> Charge:
    day = datetime.strptime(row.period, "%Y-%m-%d").replace(tzinfo=UTC)
    month = day.replace(day=1)
    next_month = (month + timedelta(days=31)).replace(day=1)
    known: Charge = {
        "BillingAccountId": namespace, "BillingAccountName": namespace,
        "SubAccountId": namespace, "SubAccountName": namespace,
        "BillingCurrency": book.currency or NO_CURRENCY,
        "BillingPeriodStart": month.strftime(_TIME), "BillingPeriodEnd": next_month.strftime(_TIME),
        "ChargePeriodStart": day.strftime(_TIME),
        "ChargePeriodEnd": (day + timedelta(days=1)).strftime(_TIME),
        "ChargeCategory": "Usage", "ChargeClass": None, "ChargeFrequency": "Usage-Based",
        "PricingCategory": "Standard", "ServiceCategory": "Compute", "ServiceName": SERVICE,
        "ProviderName": provider, "PublisherName": provider, "InvoiceIssuerName": provider,
        "ResourceId": f"/{namespace}/{row.action}", "ResourceName": row.action,
        "ResourceType": "Action", "Tags": None,
    }  # fmt: skip
    return {name: known.get(name) for name in COLUMNS}


def _plain(value: Decimal) -> str:
    """Return a number without an exponent, and without zeros that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
