"""Every Python that this host has, by a smoke run; the one that Brisk runs on is tested in full."""

import base64
import io
import sys
import zipfile

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform

PLAIN = """
import sys

def main(args):
    print("out of", sys.version_info.minor)
    print("and err", file=sys.stderr)
    return {"version": "%d.%d" % sys.version_info[:2], "n": args["n"] + 1}
"""
ASYNCHRONOUS = """
import asyncio

async def main(args):
    await asyncio.sleep(0)
    return {"n": args["n"] * 2}
"""
FAILS = "def main(args): return {'error': 'no such customer'}"
BREAKS = "def main(args): return args['missing']"
NOT_PYTHON = "def main(args:"
ENDLESS = "def main(args):\n    while True: pass"
EXITS = "import os\ndef main(args): os._exit(3)"


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


@pytest.fixture(scope="module")
def kinds(api: Api) -> list[str]:
    """What the platform runs on this host, of Pythons."""
    runtimes = api.call("GET", "/").body["runtimes"]["python"]
    found = [each["kind"] for each in runtimes]
    assert "python:{}.{}".format(*sys.version_info) in found
    return found


def archive() -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr("__main__.py", "from words import shout\ndef run(a): return shout(a)\n")
        files.writestr("words.py", "def shout(a): return {'said': a['say'].upper()}\n")
    return base64.b64encode(packed.getvalue()).decode()


def test_source_and_archive_and_logs(api: Api, kinds: list[str]) -> None:
    for kind in kinds:
        api.put_action("plain", PLAIN, kind=kind)
        for n in range(2):  # cold, then warm
            record = api.record(api.invoke("plain", {"n": n}).body["activationId"])
            expected = {"version": kind.removeprefix("python:"), "n": n + 1}
            assert record["response"]["result"] == expected, kind
            assert [line.split(" ", 1)[1].strip() for line in record["logs"]] == [
                f"stdout: out of {kind.rpartition('.')[2]}",
                "stderr: and err",
            ], kind
        body = {"exec": {"kind": kind, "code": archive(), "binary": True, "main": "run"}}
        assert api.call("PUT", "actions/packed?overwrite=true", body).status == 200
        answered = api.invoke("packed", {"say": "hi"}).body
        assert answered["response"]["result"] == {"said": "HI"}, kind


def test_what_is_asynchronous(api: Api, kinds: list[str]) -> None:
    for kind in kinds:
        api.put_action("later", ASYNCHRONOUS, kind=kind)
        assert api.invoke("later", {"n": 4}).body["response"]["result"] == {"n": 8}, kind


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (FAILS, "application error", "no such customer"),
        (BREAKS, "application error", "'missing'"),
        (NOT_PYTHON, "action developer error", "failed to generate or locate a binary"),
        (ENDLESS, "action developer error", "exceeded its time limits of 300 milliseconds"),
        (EXITS, "action developer error", "did not produce a valid response"),
    ],
)
def test_what_goes_wrong(api: Api, kinds: list[str], code: str, status: str, error: str) -> None:
    for kind in kinds:
        api.put_action("wrong", code, kind=kind, limits={"timeout": 300})
        response = api.invoke("wrong").body["response"]
        assert response["status"] == status, (kind, response)
        assert error in response["result"]["error"], (kind, response)
