"""The embedded platform as an object: started and stopped inside of another program."""

import asyncio
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cli.standalone import running
from common.settings import HttpSettings, PoolSettings, Settings
from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH

Result = TypeVar("Result")


async def aside(work: Callable[..., Result], *arguments: Any) -> Result:
    """Do blocking *work* in a thread that ends with it."""
    with ThreadPoolExecutor(1) as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)


def settings(host: str) -> Settings:
    return Settings(
        http=HttpSettings(host=host, port=0, drain_s=2), pool=PoolSettings(stem_cells=0)
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
async def test_it_is_reached_at_the_address_it_names(host: str, tmp_path: Path) -> None:
    async with running(settings(host), tmp_path / "data") as platform:
        text = await aside(get, f"{platform.url}/ping")
        assert text == "pong"


async def test_it_can_be_started_again_in_the_same_program_with_what_it_kept(
    tmp_path: Path,
) -> None:
    for start in range(2):
        async with running(settings("127.0.0.1"), tmp_path / "data", auth=GUEST_AUTH) as platform:
            api = Api(platform.url, platform.auth)
            if start == 0:
                await aside(api.put_action, "kept", "def main(a): return {'n': 1}")
            answered = await aside(api.invoke, "kept")
            assert answered.body["response"]["result"] == {"n": 1}


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
