"""A platform with prices: what it shows, exports and verifies is one bill."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import ROOT, RunningPlatform, running_platform

USAGE = "/api/brisk/v1/namespaces/_/usage"
BOOK = """
[price]
currency = "EUR"
provider = "Acme"
[[price.book]]
from_day = 2026-01-01
million_activations_micros = 200000
million_gb_s_micros = 16666700
[[price.book]]
from_day = 2999-01-01
million_activations_micros = 999
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    folder = tmp_path_factory.mktemp("priced")
    file = folder / "brisk.toml"
    file.write_text(BOOK)
    with running_platform(folder, settings={"BRISK_SETTINGS": str(file)}) as running:
        yield running


def brisk(platform: RunningPlatform, *words: str) -> str:
    given = {"WSK_CONFIG_FILE": str(platform.data.parent / "wskprops")}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BRISK_")}  # noqa: TID251
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from cli.program import run; "
         "sys.exit(run('brisk', sys.argv[1:]))", *words],
        cwd=ROOT, env=clean | given, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_shown_exported_and_verified_is_one_bill(platform: RunningPlatform) -> None:
    api = Api(platform.url, platform.auth)
    for name, memory in (("small", 128), ("large", 512)):
        api.put_action(name, "def main(a): return a", limits={"memory": memory})
        for _ in range(3):
            assert api.invoke(name).status == 200
    records = [api.record(each["activationId"]) for each in api.call("GET", "activations").body]
    billed = {each["activationId"]: each["duration"] for each in records}
    assert len(billed) == 6

    totals = []
    for by in ("action", "hour", "day", "month"):
        answer = api.call("GET", f"{USAGE}?by={by}").body
        rows, total = answer["rows"], answer["total"]
        assert sum(row["cost_micros"] for row in rows) == total["cost_micros"]
        assert answer["currency"] == "EUR"
        totals.append(total)
    assert all(total == totals[0] for total in totals)
    [total, *_] = totals
    assert (total["activations"], total["billed_ms"]) == (6, sum(billed.values()))
    # The book's first price, by hand: micros, of which a million are one euro.
    due = Decimal(6 * 200_000) / 10**6 + Decimal(total["mb_ms"] * 16_666_700) / (1_024_000 * 10**6)
    assert total["cost_micros"] == int(due + Decimal("0.5"))

    charges = list(csv.DictReader(io.StringIO(brisk(platform, "usage", "export"))))
    assert len(charges) == 4
    assert sum(Decimal(each["BilledCost"]) for each in charges) * 10**6 == due
    assert {each["ProviderName"] for each in charges} == {"Acme"}
    assert brisk(platform, "usage").splitlines()[0].split()[-1] == "EUR"
    assert "ok: what is billed is the sum of the records" in brisk(platform, "usage", "verify")
    verified = api.call("GET", f"{USAGE}/verify").body
    assert verified["exact"] is True
    assert verified["billed"]["mb_ms"] == total["mb_ms"]


def test_a_whole_and_a_firing_count_as_one_each_and_are_billed_nothing(
    platform: RunningPlatform,
) -> None:
    api = Api(platform.url, platform.auth)
    before = api.call("GET", USAGE).body["total"]
    api.put_action("part", "def main(a): return a")
    parts = {"kind": "sequence", "components": ["/_/part", "/_/part"]}
    assert api.call("PUT", "actions/whole", {"exec": parts}).status == 200
    assert api.call("PUT", "triggers/tick", {}).status == 200
    rule = {"trigger": "/_/tick", "action": "/_/whole"}
    assert api.call("PUT", "rules/rule", rule).status == 200
    fired = api.record(api.call("POST", "triggers/tick", {}).body["activationId"])
    whole = api.record(json.loads(fired["logs"][0])["activationId"])
    ran = [api.record(each) for each in whole["logs"]]
    assert len(ran) == 2

    after = api.call("GET", USAGE).body["total"]
    assert after["activations"] - before["activations"] == 1 + 1 + len(ran)
    assert after["billed_ms"] - before["billed_ms"] == sum(each["duration"] for each in ran)
    assert after["mb_ms"] - before["mb_ms"] == 256 * sum(each["duration"] for each in ran)
    rows = {row["action"]: row for row in api.call("GET", f"{USAGE}?by=action").body["rows"]}
    for name in ("tick", "whole"):
        [row] = [row for action, row in rows.items() if action.rpartition("/")[2] == name]
        assert (row["activations"], row["billed_ms"], row["mb_ms"]) == (1, 0, 0)
    assert api.call("GET", f"{USAGE}/verify").body["exact"] is True


def test_nobody_else_sees_it(platform: RunningPlatform) -> None:
    api = Api(platform.url, platform.auth)
    for path in ("usage", "usage/focus", "usage/verify"):
        assert api.call("GET", f"/api/brisk/v1/namespaces/other/{path}").status == 403
