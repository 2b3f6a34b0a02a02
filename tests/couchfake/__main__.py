"""Serve the double until it is told to stop: `python -m tests.couchfake --port 5984`.

Prints its address when it is ready. `POST /_fault` with a list such as
`[{"kind": "reset_after", "times": 2}]` breaks it, `DELETE /_fault` mends it.
"""

import argparse
import asyncio
import signal

from tests.couchfake.server import CouchFake


async def serve(port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    fake = CouchFake()
    await fake.start(port)
    print(fake.url, flush=True)  # noqa: T201 - what a caller waits for
    await stop.wait()
    await fake.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.couchfake", description=__doc__)
    parser.add_argument("--port", type=int, default=5984, help="0 takes a free one")
    asyncio.run(serve(parser.parse_args().port))
