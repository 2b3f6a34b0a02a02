"""Random numbers from a stock."""

from common.entropy import BLOCK_BYTES, Entropy


def test_nothing_is_given_out_twice() -> None:
    entropy = Entropy()
    taken = [entropy.take(10) for _ in range(3 * BLOCK_BYTES // 10)]
    assert len(set(taken)) == len(taken)
    assert all(len(piece) == 10 for piece in taken)


def test_bits_are_as_many_as_asked_for_and_all_of_them_vary() -> None:
    entropy = Entropy()
    numbers = [entropy.bits(74) for _ in range(2000)]
    assert max(numbers) < 1 << 74
    ever_set = ever_clear = 0
    for number in numbers:
        ever_set |= number
        ever_clear |= ~number
    every = (1 << 74) - 1
    assert ever_set == every
    assert ever_clear & every == every
