"""A plugin for pytest: the whole platform inside the test process, as the fixture `brisk`.

It is the platform that `brisk serve` runs, on a free port and in a folder that goes with the
session: the same API, the same sandboxes, the same records. It is started once for all tests and
emptied after each. Its clock can be put forward, so that a test of a minute takes no minute, and
stopped, so that a test says itself how much time passes.

    def test_greets(brisk):
        brisk.deploy("hello.py")
        assert brisk.invoke("hello", {"name": "Ada"}).result == {"greeting": "Hello Ada"}

Who wants other settings overrides the fixture `brisk_settings`, which has the scope of the session.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from inspect import getsource
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

import pytest

from cli.failures import Failure

if TYPE_CHECKING:
    from cli.client import Client
    from cli.names import EntityName
    from common.settings import Settings

START_S: Final = 30.0
STOP_S: Final = 60.0
RECORD_S: Final = 20.0
_LOOK_S: Final = 0.01
_MOST: Final = 200
_UNREAD: Final = "from __future__ import annotations\n\n"
"""Annotations of a function name types that its sandbox does not know."""


class MovableClock:
    """The clock of this machine, put forward by as much as tests have said, or stopped.

    Read by the platform's thread while the test's changes it: each change is one assignment.
    """

    def __init__(self) -> None:
        self._ahead_ns = 0
        self._stopped_ns: tuple[int, int] | None = None
        """Unix time and monotonic time at which it stands; None while it goes."""

    def advance(self, seconds: float) -> None:
        """Put the clock forward, whether it goes or stands; it cannot be put back."""
        if seconds < 0:
            raise ValueError(
                f"a clock that is put back by {-seconds} s would break what counts on it"
            )
        step_ns = round(seconds * 1e9)
        if self._stopped_ns is None:
            self._ahead_ns += step_ns
        else:
            wall_ns, monotonic_ns = self._stopped_ns
            self._stopped_ns = (wall_ns + step_ns, monotonic_ns + step_ns)

    def stop(self) -> None:
        """Let the clock stand: from now on time passes by `advance` alone. Idempotent."""
        if self._stopped_ns is None:
            self._stopped_ns = (self.now_ns(), self.elapsed_ns())

    def go_on(self) -> None:
        """Let it go on from where it stands, so that nobody sees it jump. Idempotent."""
        if self._stopped_ns is not None:
            self._ahead_ns = self._stopped_ns[1] - time.monotonic_ns()
            self._stopped_ns = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the clock stand until the end of the block."""
        self.stop()
        try:
            yield
        finally:
            self.go_on()

    def now_ms(self) -> int:
        """Return Unix time in whole milliseconds."""
        return self.now_ns() // 1_000_000

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        stopped_ns = self._stopped_ns
        return time.time_ns() + self._ahead_ns if stopped_ns is None else stopped_ns[0]

    def elapsed_s(self) -> float:
        """Return seconds of the monotonic clock."""
        return self.elapsed_ns() / 1e9

    def elapsed_ns(self) -> int:
        """Return nanoseconds of the monotonic clock."""
        stopped_ns = self._stopped_ns
        return time.monotonic_ns() + self._ahead_ns if stopped_ns is None else stopped_ns[1]


@dataclass(frozen=True, slots=True)
class Activation:
    """What became of an invocation; *record* is the whole of it, as the API has it."""

    record: dict[str, Any]

    @property
    def id(self) -> str:
        """The id of the activation."""
        return str(self.record["activationId"])

    @property
    def result(self) -> Any:
        """What the action returned, or its error."""
        return self.record["response"]["result"]

    @property
    def status(self) -> str:
        """`success`, or whose error it was."""
        return str(self.record["response"]["status"])

    @property
    def logs(self) -> list[str]:
        """What the action wrote, line by line, without times."""
        from cli.render import stripped_log

        return [stripped_log(str(line)) for line in self.record["logs"]]


@dataclass(frozen=True, slots=True)
class Brisk:
    """A platform that runs, seen by its namespace `guest`. `client` has the calls of the API."""

    url: str
    auth: str = field(repr=False)
    clock: MovableClock
    client: "Client"

    def deploy(
        self,
        what: str | Path | Callable[..., Any],
        name: str | None = None,
        *,
        kind: str | None = None,
        main: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        annotations: Mapping[str, Any] | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> str:
        """Store a file, a folder or a function as an action, or change it; return its name.

        A function is sent as its source: it can use nothing but what is inside it.
        Raises `Failure` when there is nothing to call, or the platform refuses.
        """
        from cli.artifacts import Recipe, exec_of

        if callable(what):
            execution: Any = {
                "kind": kind or "python:default",
                "code": _UNREAD + dedent(getsource(what)),
                "main": what.__name__,
            }
            called = name or what.__name__.replace("_", "-")
        else:
            path = Path(what)
            recipe = Recipe(artifact=str(path), kind=kind, main=main, builds=lambda _: None)
            execution = exec_of(recipe)
            called = name or (path.name if path.is_dir() else path.stem)
        document = {"exec": execution, "limits": dict(limits or {})}
        for key, values in (("parameters", parameters), ("annotations", annotations)):
            document[key] = [{"key": one, "value": each} for one, each in (values or {}).items()]
        self.client.put("actions", _name(called), document, overwrite=True)
        return called

    def invoke(self, action: str, arguments: Mapping[str, Any] | None = None) -> Activation:
        """Invoke an action and return its activation, also of one that failed."""
        call = self.client.invoke(_name(action), dict(arguments or {}), blocking=True, result=False)
        # The answer has no logs yet, as OpenWhisk's has none: they come with the record.
        return self.activation(call.activation_id)

    def fire(self, trigger: str, arguments: Mapping[str, Any] | None = None) -> str:
        """Fire a trigger; return the id of its activation, empty where no rule is active."""
        return self.client.fire(_name(trigger), dict(arguments or {}))

    def activation(self, activation_id: str, *, within_s: float = RECORD_S) -> Activation:
        """Return the activation *activation_id*, once it has ended.

        within_s: of the machine's time. Raises `Failure` when it does not end in that.
        """
        give_up_s = time.monotonic() + within_s
        while True:
            try:
                return Activation(self.client.activation(activation_id))
            except Failure as failure:
                if time.monotonic() > give_up_s:
                    raise failure.within(
                        f"{activation_id} did not end in {within_s} s"
                    ) from failure
            time.sleep(_LOOK_S)

    def empty(self) -> None:
        """Delete all rules, triggers, actions and packages of the namespace."""
        from cli.names import EntityName, Scope

        for collection in ("rules", "triggers", "actions", "packages"):
            while found := self.client.entities(collection, Scope(), _MOST, 0):
                for one in found:
                    package = str(one["namespace"]).partition("/")[2] or None
                    self.client.delete(collection, EntityName(str(one["name"]), package))


def _name(typed: str) -> "EntityName":
    from cli.names import parse_entity

    return parse_entity(typed)


@pytest.fixture(scope="session")
def brisk_settings() -> "Settings | None":
    """Settings of the platform; None is what `brisk serve` has. The port is free in any case."""
    return None


@pytest.fixture(scope="session")
def brisk_platform(
    brisk_settings: "Settings | None", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Brisk]:
    """The platform of the whole session."""
    from cli.client import Client
    from cli.configuration import Configuration
    from cli.transport import Transport
    from common.settings import Settings

    settings = brisk_settings or Settings.of_environment()
    http = settings.http.model_copy(update={"port": 0})
    clock = MovableClock()
    embedded = _Embedded(settings.model_copy(update={"http": http}), clock)
    embedded.start(tmp_path_factory.mktemp("brisk") / "data")
    try:
        config = Configuration(api_host=embedded.url, auth=embedded.auth)
        client = Client(Transport(config), config.api_version)
        yield Brisk(embedded.url, embedded.auth, clock, client)
    finally:
        embedded.stop()


@pytest.fixture
def brisk(brisk_platform: Brisk) -> Iterator[Brisk]:
    """The platform, empty; whatever a test leaves in it is deleted."""
    yield brisk_platform
    brisk_platform.clock.go_on()
    brisk_platform.empty()


class _Embedded:
    """The platform on an event loop of its own, in a thread of this process."""

    def __init__(self, settings: "Settings", clock: MovableClock) -> None:
        self._settings = settings
        self._clock = clock
        self._is_up = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: asyncio.Event | None = None
        self.url = ""
        self.auth = ""

    def start(self, data: Path) -> None:
        """Return when it serves. Raises what hindered it."""
        self._thread = threading.Thread(target=self._run, args=(data,), name="brisk", daemon=True)
        self._thread.start()
        if not self._is_up.wait(START_S):
            raise TimeoutError(f"the platform is not up after {START_S} s")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Return when it has stopped. Raises what went wrong while it ran."""
        if self._loop is not None and self._told is not None:
            with suppress(RuntimeError):  # It has ended by itself, which is told below.
                self._loop.call_soon_threadsafe(self._told.set)
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                raise TimeoutError(f"the platform has not stopped after {STOP_S} s")
        if self._failure is not None:
            raise self._failure

    def _run(self, data: Path) -> None:
        import uvloop

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(data))
        except BaseException as error:  # Is raised again in the thread of the tests.
            self._failure = error
        finally:
            self._is_up.set()

    async def _serve(self, data: Path) -> None:
        from cli.standalone import running

        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        async with running(self._settings, data, clock=self._clock) as platform:
            self.url, self.auth = platform.url, platform.auth
            self._is_up.set()
            await self._told.wait()
