from common.patience import Patience
from tests.fakes.clock import FakeClock


def test_all_of_it_is_left_until_it_begins_and_nothing_after_it_ends(clock: FakeClock) -> None:
    patience = Patience(10, clock)
    clock.advance(s=60)
    assert patience.left_s() == 10
    patience.begin()
    clock.advance(s=4)
    assert patience.left_s() == 6
    clock.advance(s=60)
    assert patience.left_s() == 0
    assert repr(patience) == "<Patience 0 s>"
