"""What a controller tells an invoker that may soon be asked to run an action: news, no order."""

from dataclasses import dataclass

from common.entity.names import QualifiedName
from common.ids import Namespace, Rev


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """An action is likely to be invoked when what runs now has ended.

    Nothing is promised by it: whoever loses or ignores one costs somebody a cold start at most.
    """

    namespace: Namespace
    """Who would invoke."""
    action: QualifiedName
    rev: Rev
    kind: str
    memory_mb: int
    is_cut_off: bool = False
    """Whether the action asks for less network than others get."""
