"""Usage as charges of FOCUS: two for each row, exact, with every column."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from common.ids import Namespace
from common.store.port import UsageRow
from controller.billing.focus import COLUMNS, charges
from controller.billing.price import EXACT, Price, PriceBook, cost_of, exact

BOOK = PriceBook.of("EUR", [Price("2026-11-01", 200_000, 16_666_700)])
GUEST = Namespace("guest")


def test_a_row_is_charged_for_its_activations_and_for_its_memory() -> None:
    row = UsageRow("2026-12-31", "pk/hello", 3, 30, 7_680)
    first, second = charges([row], GUEST, BOOK, provider="Acme")
    assert tuple(first) == tuple(second) == COLUMNS
    assert {name: first[name] for name in COLUMNS} == {
        "BilledCost": "0.0000006", "BillingAccountId": "guest", "BillingAccountName": "guest",
        "BillingCurrency": "EUR", "BillingPeriodEnd": "2027-01-01T00:00:00Z",
        "BillingPeriodStart": "2026-12-01T00:00:00Z", "ChargeCategory": "Usage",
        "ChargeClass": None, "ChargeDescription": "Invocations of a function",
        "ChargeFrequency": "Usage-Based", "ChargePeriodEnd": "2027-01-01T00:00:00Z",
        "ChargePeriodStart": "2026-12-31T00:00:00Z", "ConsumedQuantity": "3",
        "ConsumedUnit": "Invocations", "ContractedCost": "0.0000006",
        "ContractedUnitPrice": "0.0000002", "EffectiveCost": "0.0000006",
        "InvoiceIssuerName": "Acme", "ListCost": "0.0000006", "ListUnitPrice": "0.0000002",
        "PricingCategory": "Standard", "PricingQuantity": "3", "PricingUnit": "Invocations",
        "ProviderName": "Acme", "PublisherName": "Acme", "ResourceId": "/guest/pk/hello",
        "ResourceName": "pk/hello", "ResourceType": "Action", "ServiceCategory": "Compute",
        "ServiceName": "Brisk Functions", "SkuId": "activations",
        "SkuPriceId": "activations/2026-11-01", "SubAccountId": "guest",
        "SubAccountName": "guest", "Tags": None,
    }  # fmt: skip
    assert (second["ConsumedQuantity"], second["ConsumedUnit"]) == ("0.0075", "GB-Seconds")
    assert second["BilledCost"] == "0.00000012500025"


def test_without_prices_a_charge_is_nothing_in_no_currency() -> None:
    row = UsageRow("2026-11-21", "hello", 10, 10, 1280)
    for each in charges([row], GUEST, PriceBook("", ()), provider="Brisk"):
        assert (each["BilledCost"], each["BillingCurrency"]) == ("0", "XXX")
        assert str(each["SkuPriceId"]).endswith("/free")


@given(
    st.lists(
        st.builds(
            UsageRow, period=st.just("2026-11-21"), action=st.text(min_size=1, max_size=4),
            activations=st.integers(0, 10**9), billed_ms=st.just(0), mb_ms=st.integers(0, 10**18),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_the_charges_add_up_to_the_bill_digit_by_digit(rows: list[UsageRow]) -> None:
    total = Decimal(0)
    for each in charges(rows, GUEST, BOOK, provider="Brisk"):
        total = EXACT.add(total, Decimal(str(each["BilledCost"])))
        price = EXACT.multiply(
            Decimal(str(each["PricingQuantity"])), Decimal(str(each["ListUnitPrice"]))
        )
        assert price == Decimal(str(each["BilledCost"]))
    assert total == exact(sum(cost_of(row, BOOK.at(row.period)).units for row in rows))
