"""The same words are said once a second, and nothing is kept back uncounted."""

from common.log_repeats import KEPT, Repeats


def test_words_are_said_once_a_second_and_then_with_their_number() -> None:
    repeats, words = Repeats(), ("library", "cannot connect to %s")
    assert [repeats.unsaid(words, 10.0 + tenth / 10) for tenth in range(10)] == [0, *[None] * 9]
    assert repeats.unsaid(words, 11.0) == 9
    assert repeats.unsaid(words, 12.5) == 0


def test_other_words_or_another_part_are_not_kept_back() -> None:
    repeats = Repeats()
    assert repeats.unsaid(("a", "x"), 1.0) == 0
    assert repeats.unsaid(("b", "x"), 1.0) == 0
    assert repeats.unsaid(("a", "y"), 1.0) == 0


def test_only_so_many_words_are_remembered() -> None:
    repeats = Repeats()
    for number in range(KEPT + 1):
        repeats.unsaid(("a", str(number)), 1.0)
    assert repeats.unsaid(("a", "0"), 1.0) == 0
    assert repeats.unsaid(("a", str(KEPT)), 1.0) is None
