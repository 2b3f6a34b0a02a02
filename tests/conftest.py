"""What every test may lean on: a clock it owns, and the promise that nothing outlives it.

With `BRISK_REQUIRE_SERVICES=1` a skipped test fails: where the services are said to be there, a
skip hides that they are not. What cannot be had is deselected by name, on the command line, where
everybody sees it.
"""

import asyncio
import inspect
import os
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from tests.contract import ran
from tests.fakes.clock import FakeClock

REQUIRE_SERVICES = os.getenv("BRISK_REQUIRE_SERVICES") == "1"


def pytest_configure() -> None:
    """Have no default event loop: the one that asyncio makes up on request is never closed."""
    asyncio.set_event_loop(None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Watch over the tasks of every async test: set up first, so that it looks last.

    Skip what only root may do for anybody else, before its fixtures try it.
    """
    for item in items:
        if os.geteuid() != 0 and item.get_closest_marker("needs_root") is not None:
            item.add_marker(pytest.mark.skip(reason="only root may do what this test does"))
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.fixturenames.insert(0, "no_task_outlives_the_test")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a failure of a skip, if services are required; an expected failure stays one."""
    report = yield
    if REQUIRE_SERVICES and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where everything is required: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for a file that skips itself while it is imported."""
    report = yield
    if REQUIRE_SERVICES and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped where everything is required"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which suite of a port ran against what."""
    outcomes = [
        (report.nodeid, outcome)
        for outcome in ("passed", "failed", "error", "skipped")
        for report in terminalreporter.stats.get(outcome, ())
    ]
    if said := ran.lines(outcomes, ran.ADAPTERS):
        terminalreporter.section("contract suites, and what they ran against")
        terminalreporter.write_line("\n".join(said))


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture(autouse=True)
def no_thread_outlives_the_test() -> Iterator[None]:
    """Fail a test that leaves a thread behind which would keep the process from ending."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and not t.daemon]
    for thread in left:
        thread.join(1.0)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert not alive, f"threads outlived the test: {alive}"


@pytest.fixture
async def no_task_outlives_the_test() -> AsyncIterator[None]:
    """Fail an async test that leaves a task behind."""
    yield
    await asyncio.sleep(0)  # tasks that were cancelled in the last step end in this one
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks outlived the test: {[repr(task) for task in left]}"
