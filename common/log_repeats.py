"""What is said again and again is said once a second, with how often it was.

A library that lost its server may say so hundreds of times a second, in the same words.
"""

from collections import OrderedDict
from typing import Final, TypeAlias

Words: TypeAlias = tuple[str, str]
"""Who says it, and the words before anything was put into them."""

PAUSE_S: Final = 1.0
KEPT: Final = 256
"""Different words that are remembered; beyond that the oldest are as good as new."""


class Repeats:
    """Remembers what was said lately."""

    def __init__(self) -> None:
        self._said: OrderedDict[Words, tuple[float, int]] = OrderedDict()

    def unsaid(self, words: Words, now_s: float) -> int | None:
        """Return how often *words* were kept back since they were said last; None: keep back."""
        said_s, kept_back = self._said.get(words, (float("-inf"), 0))
        if now_s - said_s < PAUSE_S:
            self._said[words] = (said_s, kept_back + 1)
            return None
        self._said[words] = (now_s, 0)
        self._said.move_to_end(words)
        if len(self._said) > KEPT:
            self._said.popitem(last=False)
        return kept_back
