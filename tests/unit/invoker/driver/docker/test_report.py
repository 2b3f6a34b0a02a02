"""What an operator is told of an engine: each lack with its remedy, and nothing else."""

from typing import Any

import pytest

from invoker.driver.docker import report
from invoker.driver.docker.flags import Image
from invoker.driver.port import Ability, DriverReport, Level

EVERYTHING = {
    "has_swap_limit": True,
    "has_pids_limit": True,
    "has_profile": True,
    "is_root": True,
}
IMAGES = {"python:3.11": Image(reference="brisk/python:3.11")}


def described(**facts: Any) -> DriverReport:
    return report.describe(images=IMAGES, **{**EVERYTHING, "no_egress": "", **facts})


def test_an_engine_that_can_do_everything_is_not_complained_of() -> None:
    said = described()

    assert said.level is Level.CONTAINER
    assert said.abilities == set(Ability) - {Ability.TEMPLATES}
    assert said.kinds == {"python:3.11": "brisk/python:3.11"}
    assert said.degradations == ()


@pytest.mark.parametrize("fact", EVERYTHING)
def test_each_lack_is_said_with_its_remedy(fact: str) -> None:
    (lack,) = described(**{fact: False}).degradations

    assert lack.what
    assert lack.why
    assert lack.remedy


def test_networks_that_cannot_be_made_are_said_and_are_no_ability() -> None:
    said = described(no_egress="iptables is not installed")
    assert Ability.EGRESS not in said.abilities
    assert [each.why for each in said.degradations] == ["iptables is not installed"]


def test_networks_that_nobody_wants_are_not_missed() -> None:
    said = described(no_egress=None)
    assert Ability.EGRESS not in said.abilities
    assert said.degradations == ()


def test_networks_that_cannot_be_entered_cost_images_the_api_and_what_leads_outside() -> None:
    said = described(no_entry="it is too dark", no_egress="it is too dark")
    assert not {Ability.EGRESS, Ability.IMAGES} & said.abilities
    (lack,) = said.degradations
    assert lack.why == "it is too dark"
    assert "--pid=host" in lack.remedy


def test_names_that_nobody_knows_are_said() -> None:
    (lack,) = described(has_names=False).degradations
    assert "BRISK_SANDBOX__NAMESERVERS" in lack.remedy


def test_processes_that_are_not_limited_are_no_ability() -> None:
    assert Ability.PIDS not in described(has_pids_limit=False).abilities


def test_without_an_engine_nothing_runs() -> None:
    said = report.unreachable("nobody listens")

    assert (said.level, dict(said.kinds), set(said.abilities)) == (Level.NONE, {}, set())
    assert said.degradations[0].why == "nobody listens"
