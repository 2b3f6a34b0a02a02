"""The contracts between modules: each one bites, and the list of pure modules is complete.

That the tree keeps them is checked by `lint-imports` in `make check`. Here every contract is broken
once, in a copy, because a contract that cannot break is worth nothing.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.house import tree

CONTRACTS: Mapping[str, dict[str, Any]] = {
    contract["id"]: contract
    for contract in tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]["contracts"]
}
BREACHES = {
    "parts": ("invoker/service.py", "import controller.app"),
    "client": ("cli/client.py", "import invoker.service"),
    "controller": ("controller/balance/inflight.py", "import controller.edge.query"),
    "events": ("controller/events/keeper.py", "import controller.edge.query"),
    "invoker": ("invoker/driver/port.py", "import invoker.logs.lines"),
    "aiohttp": ("invoker/service.py", "from aiohttp import web"),
    "aiokafka": ("common/bus/memory.py", "import aiokafka"),
    "sqlite3": ("common/store/subjects.py", "import sqlite3"),
    "orjson": ("controller/edge/query.py", "import orjson"),
    "cryptography": ("controller/edge/query.py", "from cryptography import fernet"),
    "prometheus": ("controller/edge/query.py", "import prometheus_client"),
    "structlog": ("invoker/service.py", "from structlog import get_logger"),
    "click": ("controller/edge/query.py", "import click"),
    "pydantic": ("common/store/subjects.py", "from pydantic import BaseModel"),
    "docker": ("invoker/service.py", "import docker"),
    "couchdb": ("common/store/couch_documents.py", "import couchdb"),
    "yaml": ("cli/artifacts.py", "import yaml"),
    "opentelemetry": ("common/telemetry/spans.py", "from opentelemetry import trace"),
    "absent": ("common/store/subjects.py", "import kubernetes_asyncio"),
    "pure": ("invoker/pool/keepalive.py", "from common import clock"),  # which reads the time
}
DECIDING = ("common/billing", "common/entity", "common/message", "invoker/pool")
SHELLS = {
    "common.entity.manifest",  # reads its file
    "invoker.pool.gauges",  # names the metrics
    "invoker.pool.opening",  # is given settings
    "invoker.pool.pool",
    "invoker.pool.proxy",
}


def test_every_contract_breaks_when_it_is_broken(tmp_path: Path) -> None:
    for part in tree.PARTS:
        shutil.copytree(
            tree.ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(tree.ROOT / "pyproject.toml", tmp_path)
    for path, line in BREACHES.values():
        with (tmp_path / path).open("a") as file:
            file.write(f"\n{line}\n")

    command = "from importlinter import cli; raise SystemExit(cli.lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=tmp_path,
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip

    assert done.returncode == 1, done.stdout + done.stderr
    verdicts = {
        key: "BROKEN" for key, each in CONTRACTS.items() if f"{each['name']} BROKEN" in done.stdout
    }
    assert verdicts == dict.fromkeys(CONTRACTS, "BROKEN")


def test_every_contract_is_shown_to_break() -> None:
    assert BREACHES.keys() == CONTRACTS.keys()


def test_what_decides_is_listed_as_pure() -> None:
    listed = set(CONTRACTS["pure"]["source_modules"])
    found = {
        tree.module_name(path) for path in tree.python(*DECIDING) if path.name != "__init__.py"
    }
    assert found - SHELLS <= listed, (
        "add it to the list of pure modules, or to SHELLS with a reason"
    )
    assert not SHELLS & listed
    assert found >= SHELLS


def test_every_pure_module_exists() -> None:
    for name in CONTRACTS["pure"]["source_modules"]:
        assert (tree.ROOT / f"{name.replace('.', '/')}.py").is_file(), name
