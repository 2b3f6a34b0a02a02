"""The prices of an installation, of its settings."""

from common.settings import PriceSettings
from controller.billing.price import Price, PriceBook


def book_of(settings: PriceSettings) -> PriceBook:
    """Return the book that *settings* have checked already."""
    prices = (
        Price(
            entry.from_day.isoformat(),
            entry.million_activations_micros,
            entry.million_gb_s_micros,
        )
        for entry in settings.book
    )
    return PriceBook.of(settings.currency, prices)
