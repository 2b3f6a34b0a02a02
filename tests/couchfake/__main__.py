"""Serve the double until it is told to stop: `python -m tests.couchfake --port 5984`.

Prints its address when it is ready. `POST /_fault` with a list such as
`[{"kind": "reset_after", "times": 2}]` breaks it, `DELETE /_fault` mends it. On SIGUSR1 it is gone
and refuses connections, on SIGUSR2 it is back with all that it had.
"""

import argparse
import asyncio
import signal

from tests.couchfake.server import CouchFake


async def serve(port: int, auth: tuple[str, str] | None) -> None:
    told: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        loop.add_signal_handler(number, told.put_nowait, number)
    fake = CouchFake(auth=auth)
    await fake.start(port)
    print(fake.url, flush=True)  # noqa: T201 - what a caller waits for
    while True:
        match await told.get():
            case signal.SIGUSR1:
                await fake.stop()
            case signal.SIGUSR2:
                await fake.start(fake.port)
            case _:
                break
    await fake.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.couchfake", description=__doc__)
    parser.add_argument("--port", type=int, default=5984, help="0 takes a free one")
    parser.add_argument("--auth", help="user:password; nobody else is let in")
    asked = parser.parse_args()
    user, _, password = (asked.auth or "").partition(":")
    asyncio.run(serve(asked.port, (user, password) if asked.auth else None))
