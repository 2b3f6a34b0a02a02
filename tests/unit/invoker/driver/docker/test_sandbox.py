"""Whose fault a death is: the engine's, if it was away, also while the container is removed."""

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from common.ids import ContainerId
from invoker.driver.docker.engine import Engine
from invoker.driver.docker.presence import Presence
from invoker.driver.docker.sandbox import DockerSandbox


class Removing:
    """An engine that removes what it is told to, and cannot be asked anything else."""

    async def remove(self, container: str) -> None:
        assert container == "c"


async def nothing() -> None:
    """Clean nothing up."""


@pytest.mark.parametrize("was_away", [False, True])
async def test_what_dies_while_it_is_removed_is_lost_if_the_engine_went_away_under_it(
    was_away: bool,
) -> None:
    presence = Presence(30, nothing)
    with ThreadPoolExecutor(1) as threads:
        sandbox = DockerSandbox(
            ContainerId("one"), "c", cast(Engine, Removing()), threads, lambda _: None, presence,
            is_entered=False,
        )  # fmt: skip
        if was_away:
            presence.lost("killed")
        await sandbox.destroy()
        died = await sandbox.explain("it ended")
    assert died.is_lost is was_away
