"""What is hot of a container engine: making, starting, waiting for and removing containers.

Over the engine's Unix socket, with connections that are kept. The engine's own library blocks a
thread and costs 5 ms a call; it is used for what is rare, in `images.py`. Only this module knows
the HTTP client, and its errors are translated here.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from common.codec import MalformedJson, decode
from common.errors import BriskError

API: Final = "/v1.40"
"""Docker 19.03 and later, and what imitates it."""
_URL: Final = f"http://engine{API}"
_MISSING: Final = 404
_GONE: Final = (304, _MISSING, 409)  # not running, not there, being removed
_DENIED: Final = ("unauthorized", "denied", "no basic auth credentials")
_MAX_LINE_BYTES: Final = 1 << 20


class EngineFailed(BriskError):
    """The container engine did not do what it was asked to."""


class EngineUnreachable(EngineFailed):
    """The container engine does not answer."""


class EngineRefused(EngineFailed):
    """The container engine refused: *status* as in HTTP, and its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the engine answered {status}: {message}")
        self.status = status
        self.message = message

    @property
    def is_missing(self) -> bool:
        """Whether there is no such thing, or not for who asks."""
        return self.status == _MISSING or any(word in self.message for word in _DENIED)


class NoSuchImage(EngineFailed):
    """The engine does not have the image."""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What the engine knows of a container."""

    pid: int
    """Of its first process, on this host; 0 when it does not run."""
    memory_exhausted: bool


class Engine:
    """The engine on this host; between `open` and `close`."""

    def __init__(self, socket: Path, *, answer_s: float) -> None:
        self._socket = socket
        self._answer_s = answer_s
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Engine {self._socket}>"

    async def close(self) -> None:
        """Let go of the connections. Idempotent."""
        self._is_closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def check(self) -> None:
        """Return when the engine answers now. Raises `EngineFailed`."""
        await self._ask("GET", "/version")

    async def create(self, name: str, body: bytes) -> str:
        """Make a container and return its id. Raises `EngineFailed`."""
        answer = await self._ask("POST", f"/containers/create?name={name}", body)
        return str(answer["Id"])

    async def start(self, container: str) -> None:
        """Start it. Raises `EngineFailed`."""
        await self._ask("POST", f"/containers/{container}/start")

    async def state(self, container: str) -> ContainerState:
        """Return what is known of it. Raises `EngineFailed`."""
        state = (await self._ask("GET", f"/containers/{container}/json"))["State"]
        return ContainerState(int(state["Pid"]), bool(state["OOMKilled"]))

    async def wait(self, container: str, timeout_s: float) -> int | None:
        """Return its exit code once it has ended; None when it goes on after *timeout_s*.

        Raises `EngineFailed`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._ask(
                    "POST", f"/containers/{container}/wait", timeout_s=timeout_s + 1
                )
        except TimeoutError:
            return None
        return int(answer["StatusCode"])

    async def pause(self, container: str) -> None:
        """Stop all its processes. Raises `EngineFailed`."""
        await self._ask("POST", f"/containers/{container}/pause")

    async def unpause(self, container: str) -> None:
        """Let them go on; nothing if they do. Raises `EngineFailed`."""
        await self._ask("POST", f"/containers/{container}/unpause")

    async def remove(self, container: str) -> None:
        """End it and remove it with its volumes; nothing if it is gone. Raises `EngineFailed`."""
        try:
            await self._ask("DELETE", f"/containers/{container}?force=1&v=1")
        except EngineRefused as error:
            if error.status not in _GONE:
                raise

    async def image_id(self, reference: str) -> str:
        """Return the id of an image that it has. Raises `NoSuchImage`, `EngineFailed`."""
        try:
            return str((await self._ask("GET", f"/images/{reference}/json"))["Id"])
        except EngineRefused as error:
            if error.status == _MISSING:
                raise NoSuchImage(error.message) from error
            raise

    async def digest(self, reference: str, credentials: str) -> str:
        """Ask the registry for the digest of an image, and so whether *credentials* may have it.

        Raises `NoSuchImage`, `EngineFailed`.
        """
        headers = {"X-Registry-Auth": credentials}
        try:
            told = await self._ask("GET", f"/distribution/{reference}/json", headers=headers)
        except EngineRefused as error:
            if error.is_missing:
                raise NoSuchImage(error.message) from error
            raise
        return str(told["Descriptor"]["digest"])

    async def pull(self, repository: str, tag: str, credentials: str = "") -> None:
        """Pull an image; as long as it takes. Cancelled, the engine stops, too.

        tag: or a digest. credentials: what the registry is shown, in the engine's own form.
        Raises `EngineFailed`.
        """
        path = f"/images/create?fromImage={repository}&tag={tag}"
        headers = {"X-Registry-Auth": credentials} if credentials else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._answer_s)
        async with (
            _translated(),
            self._opened().post(_URL + path, headers=headers, timeout=timeout) as response,
        ):
            if response.status >= 400:
                raise EngineRefused(response.status, _message(await response.read()))
            # What goes wrong after the beginning is told among the news of its progress.
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    if (failure := decode(line).get("error")) is not None:
                        raise EngineRefused(500, str(failure))
                if len(rest) > _MAX_LINE_BYTES:
                    raise EngineFailed("the engine's news of a pull do not end")

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        timeout_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the decoded answer; None for an empty one."""
        timeout = aiohttp.ClientTimeout(total=timeout_s or self._answer_s)
        headers = {"Content-Type": "application/json"} if body is not None else headers
        async with (
            _translated(),
            self._opened().request(
                method, _URL + path, data=body, headers=headers, timeout=timeout
            ) as response,
        ):
            text = await response.read()
            if response.status >= 400:
                raise EngineRefused(response.status, _message(text))
            return decode(text) if text else None

    def _opened(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise EngineFailed("the client of the engine is closed")
        if self._session is None:
            # No bound of its own: who starts containers is bounded, and each may be waited for.
            connector = aiohttp.UnixConnector(str(self._socket), limit=0)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise EngineUnreachable("the engine did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineUnreachable(f"the engine can't be reached: {error}") from error
    except MalformedJson as error:
        raise EngineFailed("the engine's answer is no JSON") from error


def _message(text: bytes) -> str:
    try:
        told = decode(text)
    except MalformedJson:
        return text.decode(errors="replace")
    return str(told.get("message", told)) if isinstance(told, dict) else str(told)
