"""What a real OpenWhisk answered, Brisk answers: recorded requests, played against the platform."""

import pytest

from tests.fakes.embedded import RunningPlatform
from tests.fakes.replay import play

LEFT_OUT: dict[str, dict[int, str]] = {}
"""Steps by scenario that need what is not there yet, and why. Nothing else is left out."""


@pytest.mark.parametrize(
    "scenario",
    [
        "info",
        "names",
        "action_create",
        "lists",
        "invoke",
        "activations",
        "binaries",
        "packages",
        "sequences",
        "conductors",
        "web",
        "triggers_rules",
    ],
)
def test_the_platform_answers_as_openwhisk_did(scenario: str, platform: RunningPlatform) -> None:
    differences = play(scenario, platform.url, platform.auth, LEFT_OUT.get(scenario, {}))
    assert not differences, "\n".join(differences)
