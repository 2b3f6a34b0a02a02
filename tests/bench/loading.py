"""Cold starts of code with heavy imports: the first, and one that begins with what was loaded."""

import re
import statistics
import threading
import time
from typing import Final

from common.codec import encode
from tests.bench.client import ThinClient
from tests.fakes.embedded import RunningPlatform

REVISIONS: Final = 7
BUSY_MS: Final = 50
OCCUPIED_S: Final = 1.0
WITHIN_S: Final = 20.0
# Of the library, imported by no zygote, on every platform; and a module that computes for a while.
_MODULES: Final = (
    *(
        "argparse",
        "asyncio.subprocess",
        "calendar",
        "cmd",
        "code",
        "codeop",
        "colorsys",
        "compileall",
    ),
    *(
        "configparser",
        "cProfile",
        "ctypes.util",
        "difflib",
        "doctest",
        "email.mime.text",
        "filecmp",
    ),
    *("fileinput", "fractions", "ftplib", "gettext", "graphlib", "html.parser", "http.cookiejar"),
    *("http.server", "imaplib", "ipaddress", "logging.config", "logging.handlers", "mailbox"),
    *("mimetypes", "multiprocessing.pool", "multiprocessing.managers", "optparse", "pdb"),
    *("pickletools", "plistlib", "poplib", "pprint", "profile", "pstats", "pyclbr", "pydoc"),
    *("rlcompleter", "sched", "shelve", "smtplib", "socketserver", "sqlite3", "tarfile", "timeit"),
    *("trace", "tracemalloc", "unittest.mock", "wave", "wsgiref.simple_server", "xml.dom.minidom"),
    *("xml.sax.saxutils", "xmlrpc.client", "xmlrpc.server", "zipapp"),
)
CODE: Final = f"""
import time
{chr(10).join(f"import {name}" for name in _MODULES)}
begun = time.process_time()
while time.process_time() - begun < {BUSY_MS / 1000}:
    pass
def main(args):
    time.sleep(args.get("s", 0))
    return {{}}
"""
_PATH: Final = "/api/v1/namespaces/_/actions/loading"
_CALL: Final = f"{_PATH}?blocking=true&result=true"
_MADE: Final = 'brisk_pool_templates_total{template="made"}'
_BUSY: Final = 'brisk_pool_sandboxes{state="busy"}'


def cold_starts_ms(platform: RunningPlatform) -> tuple[float, float]:
    """Return the medians of the second cold call of a revision, and of its first, of several."""
    first: list[float] = []
    second: list[float] = []
    with ThinClient(platform.url, platform.auth) as client:
        call = client.request("POST", _CALL, b"{}")
        for number in range(REVISIONS):
            made = _metric(client, _MADE)
            document = {"exec": {"kind": "python:default", "code": f"{CODE}# {number}\n"}}
            put = client.request("PUT", f"{_PATH}?overwrite=true", encode(document))
            status, answer = client.send(put)
            assert status == 200, answer
            first.append(client.time_us(call) / 1000)
            _wait_for(client, _MADE, made + 1)
            occupying = threading.Thread(target=_occupy, args=(platform,))
            occupying.start()
            _wait_for(client, _BUSY, 1)
            second.append(client.time_us(call) / 1000)
            occupying.join()
    return statistics.median(second), statistics.median(first)


def _occupy(platform: RunningPlatform) -> None:
    """Keep the sandbox busy that is warm, so that the next call needs another."""
    with ThinClient(platform.url, platform.auth) as client:
        status, answer = client.send(client.request("POST", _CALL, encode({"s": OCCUPIED_S})))
        assert status == 200, answer


def _wait_for(client: ThinClient, series: str, value: float) -> None:
    give_up_s = time.monotonic() + WITHIN_S
    while _metric(client, series) < value:
        assert time.monotonic() < give_up_s, f"{series} did not become {value}"
        time.sleep(0.01)


def _metric(client: ThinClient, series: str) -> float:
    _, text = client.send(client.request("GET", "/metrics", b""))
    found = re.search(rb"^%s ([0-9.]+)$" % re.escape(series.encode()), text, re.MULTILINE)
    assert found, f"the platform does not say {series}"
    return float(found[1])
