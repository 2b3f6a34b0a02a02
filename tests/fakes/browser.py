"""A real browser without a window: what a page shows, what it fetched, and what it complained of.

It is driven by the Chrome DevTools Protocol over one WebSocket, of which a dozen messages are used.
Source: https://chromedevtools.github.io/devtools-protocol/.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

PROGRAM: Final = shutil.which("chromium-headless-shell")
START_S: Final = 30.0
LOAD_S: Final = 20.0
_SAID_OF_FAULTS: Final = frozenset({"error", "warning", "assert"})


@dataclass(slots=True)
class Page:
    """One page, loaded."""

    url: str
    status: int = 0
    media_type: str = ""
    requests: list[str] = field(default_factory=list)
    """The address of everything that it fetched, itself included."""
    complaints: list[str] = field(default_factory=list)
    """What it said on the console as a warning or error, exceptions, and what failed to load."""
    _browser: "Browser | None" = None
    _session: str = ""

    @property
    def hosts(self) -> set[str]:
        """Hosts, with their ports, from which it fetched."""
        return {urlsplit(each).netloc for each in self.requests if not each.startswith("data:")}

    async def value(self, expression: str) -> Any:
        """Return what *expression* of JavaScript is, as JSON; a promise is awaited."""
        assert self._browser, "the page is open"
        answer = await self._browser.call(
            "Runtime.evaluate",
            {"expression": expression, "returnByValue": True, "awaitPromise": True},
            self._session,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")


class Browser:
    """A running browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last_id = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self._loaded: dict[str, asyncio.Event] = {}

    async def open(self, url: str) -> Page:
        """Return the page at *url* when it, and what belongs to it, is loaded."""
        target = await self.call("Target.createTarget", {"url": "about:blank"})
        attached = await self.call(
            "Target.attachToTarget", {"targetId": target["targetId"], "flatten": True}
        )
        session = attached["sessionId"]
        page = self._pages[session] = Page(url, _browser=self, _session=session)
        loaded = self._loaded[session] = asyncio.Event()
        for domain in ("Network", "Log", "Runtime", "Page"):
            await self.call(f"{domain}.enable", {}, session)
        await self.call("Page.navigate", {"url": url}, session)
        async with asyncio.timeout(LOAD_S):
            await loaded.wait()
        return page

    async def call(
        self, method: str, parameters: dict[str, Any], session: str | None = None
    ) -> dict[str, Any]:
        """Return what the browser answers."""
        self._last_id += 1
        answer = self._answers[self._last_id] = asyncio.get_running_loop().create_future()
        sent = {"id": self._last_id, "method": method, "params": parameters}
        await self._socket.send_json(sent | ({"sessionId": session} if session else {}))
        async with asyncio.timeout(LOAD_S):
            told: dict[str, Any] = await answer
        return told

    async def listen(self) -> None:
        """Take what the browser says until it is gone."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if "error" in said:
                    answer.set_exception(AssertionError(said["error"]))
                else:
                    answer.set_result(said["result"])
            elif (page := self._pages.get(said.get("sessionId", ""))) is not None:
                self._note(page, said["method"], said["params"], said["sessionId"])

    def _note(self, page: Page, method: str, told: dict[str, Any], session: str) -> None:
        match method:
            case "Network.requestWillBeSent":
                page.requests.append(told["request"]["url"])
            case "Network.responseReceived" if told["type"] == "Document":
                page.status = told["response"]["status"]
                page.media_type = told["response"]["mimeType"]
            case "Network.loadingFailed":
                page.complaints.append(f"failed to load: {told['errorText']}")
            case "Runtime.exceptionThrown":
                page.complaints.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in _SAID_OF_FAULTS:
                page.complaints.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in _SAID_OF_FAULTS:
                page.complaints.append(told["entry"]["text"])
            case "Page.loadEventFired":
                self._loaded[session].set()
            case _:
                """The rest is of no interest."""


@asynccontextmanager
async def running_browser(folder: Path) -> AsyncIterator[Browser]:
    """Start a browser with a fresh profile in *folder*, and end it after."""
    assert PROGRAM, "deploy/dev/browser installs it"
    # Its own sandbox needs what root does not have; it sees nothing but pages of these tests.
    cage = ["--no-sandbox"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *cage, "--remote-debugging-port=0", f"--user-data-dir={folder}",
        "--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(START_S):
            address = await _address(process)
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(address, max_msg_size=0) as socket,
            asyncio.TaskGroup() as tasks,
        ):
            browser = Browser(socket)
            ear = tasks.create_task(browser.listen())
            yield browser
            ear.cancel()
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it has children, which hold its output
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    """Return where the browser takes orders, which it says on its standard error."""
    assert process.stderr
    async for line in process.stderr:
        said = line.decode().strip()
        if said.startswith("DevTools listening on "):
            return said.removeprefix("DevTools listening on ")
    raise AssertionError(f"the browser ended with {await process.wait()}")
