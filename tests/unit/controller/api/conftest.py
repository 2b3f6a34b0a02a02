"""The API of this process, for the tests of its routes."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.running_api import Api, running_api


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API over empty stores, with an invoker that obeys the test."""
    async with running_api() as running:
        yield running
