"""What a real OpenWhisk answered, Brisk answers: recorded requests, played against the platform."""

import pytest

from tests.fakes.embedded import RunningPlatform
from tests.fakes.replay import play

NO_PACKAGES = "packages cannot be written yet"

LEFT_OUT = {
    "names": dict.fromkeys((47, 49, 53, 55), NO_PACKAGES),
    "activations": dict.fromkeys((2, 3, 5, 9, 10), NO_PACKAGES),
}
"""Steps by scenario that need what is not there yet, and why. Nothing else is left out."""


@pytest.mark.parametrize(
    "scenario",
    ["info", "names", "action_create", "lists", "invoke", "activations", "binaries"],
)
def test_the_platform_answers_as_openwhisk_did(scenario: str, platform: RunningPlatform) -> None:
    differences = play(scenario, platform.url, platform.auth, LEFT_OUT.get(scenario, {}))
    assert not differences, "\n".join(differences)
