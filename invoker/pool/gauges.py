"""What metrics show of a pool: read when somebody asks, kept by nobody."""

from functools import partial

from common import metrics
from invoker.pool.books import Books
from invoker.pool.container import State


def of(books: Books) -> metrics.Readings:
    """Return where the gauges of sandboxes, memory and waiting calls look."""
    of_state = {
        gauge: partial(books.shelf.count, State[name.upper()])
        for name, gauge in metrics.SANDBOXES.items()
    }
    return {
        **of_state,
        metrics.WAITING_ACTIVATIONS: lambda: len(books.line),
        metrics.RESERVED_MEMORY: lambda: books.shelf.reserved_mb,
    }
