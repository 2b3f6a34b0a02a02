"""The process driver with each Python that this host has, and with modules that are preloaded."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from common.ids import ContainerId
from common.settings import SandboxSettings
from invoker.driver.port import Answer, Operation, Sandbox, SandboxSpec
from invoker.driver.process.driver import ProcessDriver
from tests.contract.drivers import LIMIT_BYTES, Lines

WORKS = """
import asyncio, json, sys
async def main(args):
    await asyncio.sleep(0)
    print("snow", "\u2603")
    return {"version": "%d.%d" % sys.version_info[:2], "args": args}
"""
IMPORTED = """
import sys
AT_FIRST = set(sys.modules)
def main(args): return {name: name in AT_FIRST for name in args["names"]}
"""


@asynccontextmanager
async def sandbox_of(kind: str, settings: SandboxSettings, place: Path) -> AsyncIterator[Sandbox]:
    driver = ProcessDriver(settings, [kind], place)
    try:
        if kind not in (await driver.probe()).kinds:
            pytest.skip(f"there is no interpreter for {kind} here")
        spec = SandboxSpec(container_id=ContainerId("t-1"), kind=kind, memory_mb=128)
        yield await driver.create(spec)
    finally:
        await driver.close()


async def told(sandbox: Sandbox, source: str, arguments: Any, logs: Lines) -> Any:
    init = {"name": "t", "main": "main", "code": source, "binary": False, "env": {}}
    await answer(sandbox, "init", init, logs)
    return json.loads((await answer(sandbox, "run", arguments, logs)).body)


async def answer(sandbox: Sandbox, operation: Operation, value: Any, logs: Lines) -> Answer:
    reply = await sandbox.call(
        operation,
        json.dumps({"value": value}).encode(),
        timeout_s=20,
        answer_limit_bytes=LIMIT_BYTES,
        logs=logs,
    )
    assert isinstance(reply, Answer), reply
    assert reply.status == 200, reply.body
    return reply


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13"])
async def test_an_action_runs_on_each_python_that_is_installed(
    version: str, tmp_path: Path
) -> None:
    logs = Lines()
    async with sandbox_of(f"python:{version}", SandboxSettings(), tmp_path) as sandbox:
        result = await told(sandbox, WORKS, {"n": 1}, logs)
    assert result == {"version": version, "args": {"n": 1}}
    assert b"".join(logs.text.values()).decode() == "snow ☃\n"


@pytest.mark.parametrize("preload", ["", "plistlib, no_such_module ,wave"])
async def test_modules_are_there_from_the_start_where_the_setting_names_them(
    preload: str, tmp_path: Path
) -> None:
    """One that does not exist is no reason to have none."""
    settings = SandboxSettings(preload=preload)
    async with sandbox_of("python:3.11", settings, tmp_path) as sandbox:
        result = await told(sandbox, IMPORTED, {"names": ["plistlib", "wave"]}, Lines())
    assert result == {"plistlib": bool(preload), "wave": bool(preload)}
