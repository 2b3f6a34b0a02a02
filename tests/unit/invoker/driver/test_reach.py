import pytest

from invoker.driver import reach
from invoker.driver.port import Ability, Network

CAN = {Ability.EGRESS}


@pytest.mark.parametrize(
    ("wanted", "abilities", "tenants", "got"),
    [
        (Network.EGRESS, CAN, 1, Network.EGRESS),
        (Network.EGRESS, CAN, reach.MANY, Network.EGRESS),
        (Network.EGRESS, set(), 1, Network.HOST),
        (Network.EGRESS, set(), reach.MANY, Network.NONE),
        (Network.NONE, CAN, 1, Network.NONE),
        (Network.HOST, set(), reach.MANY, Network.HOST),
    ],
)
def test_what_is_granted(
    wanted: Network, abilities: set[Ability], tenants: int, got: Network
) -> None:
    assert reach.granted(wanted, abilities, tenants) is got


def test_an_action_may_ask_for_less_and_never_for_more() -> None:
    assert reach.lesser(Network.EGRESS, Network.NONE) is Network.NONE
    assert reach.lesser(Network.EGRESS, Network.HOST) is Network.EGRESS
    assert reach.lesser(Network.NONE, Network.HOST) is Network.NONE


def test_what_is_not_as_it_was_asked_for_is_said_with_its_remedy() -> None:
    assert reach.consequences(Network.EGRESS, Network.EGRESS) == ()
    assert reach.consequences(Network.NONE, Network.NONE) == ()
    opened = reach.consequences(Network.EGRESS, Network.HOST)[0]
    assert "127.0.0.1" in opened.what
    assert "BRISK_SANDBOX__NETWORK=none" in opened.remedy
    assert "BRISK_SANDBOX__NETWORK=host" in reach.consequences(Network.HOST, Network.HOST)[0].why
    assert "API" in reach.consequences(Network.EGRESS, Network.NONE)[0].what
