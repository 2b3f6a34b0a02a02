"""The way to a server, in the hands of a test: it can be slow, or stuck."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Wire:
    """Passes bytes on, each piece after `delay_s`, and nothing while `is_open` is not set."""

    def __init__(self, port: int) -> None:
        """Lead to *port* of this machine."""
        self.delay_s = 0.0
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.connections = 0
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client."""
        self.connections += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.get_running_loop().create_task(self._pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                await asyncio.sleep(self.delay_s)
                await self.is_open.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            return  # either side may hang up
        finally:
            sink.transport.abort()

    async def end(self) -> None:
        """Cut every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def wire(port: int, to_port: int) -> AsyncIterator[Wire]:
    """Listen at *port* and lead to *to_port* while inside."""
    made = Wire(to_port)
    server = await asyncio.start_server(made.accept, "127.0.0.1", port)
    try:
        yield made
    finally:
        server.close()
        await made.end()
