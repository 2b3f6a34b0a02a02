"""What all lists have in common."""

from typing import Final

from controller.api.route import Query
from controller.edge.query import Page

LIST_QUERY: Final = (
    Query("limit", "integer", "How many at most, up to 200; default 30, and 0 means 200."),
    Query("skip", "integer", "How many of the newest to leave out; default 0."),
    Query("count", "boolean", "Answer how many there are; default false."),
)


def counted(collection: str, total: int, page: Page) -> dict[str, int]:
    """Return the answer to `count=true`: what is left after *page*'s skip."""
    return {collection: max(total - page.skip, 0)}
