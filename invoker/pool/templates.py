"""Which loaded code is worth a template, and which template has to go for another.

A template is a sandbox that has loaded an action's code and gets no call: cold sandboxes of that
action become copies of it. It costs memory and one more load, so it is made of code that was seen
to take long, once that code has answered; of memory that nobody else asks for; and it is the first
to go when somebody does.

One revision of an action, called for one namespace, with one set of variables, has one template at
most: code may have put into memory whatever it was given.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from common.ids import ContainerId
from invoker.driver.port import Ability
from invoker.pool.container import ActionKey, Shape

_KINDS: Final = "python:"
"""What the kinds begin with whose loaded code can be copied."""
_MOST_UNFIT: Final = 1_000
"""How many are remembered that could not be made; who is forgotten is tried again."""

Verdict: TypeAlias = Literal["cast", "evict", "leave"]
"""Make one; remove the one that was used longest ago, so that there is room next time; neither."""


class Likeness(NamedTuple):
    """What sandboxes have to have in common, so that one can be a copy of another."""

    key: ActionKey
    shape: Shape
    variables: str
    """A digest of what the code is given when it is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRules:
    """What the operator allows."""

    most: int
    most_mb: int
    least_init_ms: int
    idle_timeout_s: float

    @classmethod
    def where_possible(
        cls,
        abilities: Collection[Ability],
        *,
        most: int,
        most_mb: int,
        least_init_ms: int,
        idle_timeout_s: float,
    ) -> "TemplateRules":
        """Return rules that allow none where the driver cannot copy."""
        return cls(
            most=most if Ability.TEMPLATES in abilities else 0,
            most_mb=most_mb,
            least_init_ms=least_init_ms,
            idle_timeout_s=idle_timeout_s,
        )


NO_TEMPLATES: Final = TemplateRules(most=0, most_mb=0, least_init_ms=0, idle_timeout_s=0)


def is_worth(shape: Shape, init_ms: int, rules: TemplateRules) -> bool:
    """Tell whether code that took *init_ms* to be loaded should be copied from now on."""
    can_be = shape.kind.startswith(_KINDS) and shape.image is None
    return can_be and rules.most > 0 and init_ms >= rules.least_init_ms


def judge(
    memory_mb: int, held_mb: Sequence[int], rules: TemplateRules, *, free_mb: int, free_starts: int
) -> Verdict:
    """Decide what becomes of the wish for a template of *memory_mb*.

    held_mb: the memory of each template that there is. free_mb, free_starts: what nobody uses.
    """
    if memory_mb > rules.most_mb:
        return "leave"
    if len(held_mb) >= rules.most or sum(held_mb) + memory_mb > rules.most_mb:
        return "evict"
    # As with all that is only foretold, the last start is left to calls.
    return "cast" if memory_mb <= free_mb and free_starts > 1 else "leave"


class Templates:
    """Whose templates there are, and of what none can be made."""

    def __init__(self) -> None:
        self._likenesses: dict[ContainerId, Likeness] = {}
        self._made: dict[Likeness, ContainerId] = {}
        self._unfit: OrderedDict[Likeness, None] = OrderedDict()

    def of(self, likeness: Likeness) -> ContainerId | None:
        """Return the template of *likeness*, be it finished or not."""
        return self._made.get(likeness)

    def is_unfit(self, likeness: Likeness) -> bool:
        """Tell whether one was tried in vain."""
        return likeness in self._unfit

    def put(self, container_id: ContainerId, likeness: Likeness) -> None:
        """Note that *container_id* is, or will be, the template of *likeness*."""
        self._likenesses[container_id] = likeness
        self._made[likeness] = container_id

    def drop(self, container_id: ContainerId, *, is_unfit: bool = False) -> None:
        """Note that it is none, or none any more; *is_unfit*: and none is to be made again."""
        likeness = self._likenesses.pop(container_id, None)
        if likeness is None:
            return
        del self._made[likeness]
        if is_unfit:
            self._unfit[likeness] = None
            if len(self._unfit) > _MOST_UNFIT:
                self._unfit.popitem(last=False)

    def ids(self) -> list[ContainerId]:
        """Return all of them."""
        return list(self._likenesses)
