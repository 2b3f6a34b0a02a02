"""What a look through the stores found: what is wrong, where, and what to do about it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

MOST_SHOWN: Final = 50
"""Of each kind; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    kind: one word of those that a program can look for.
    is_damage: else it is a note: nothing is wrong, but an operator may want to know.
    """

    kind: str
    where: str
    what: str
    fix: str = ""
    is_damage: bool = True


@dataclass(slots=True)
class Report:
    """Findings, and how much was looked at."""

    looked_at: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)
    """How many there are of each kind, also of those that are not shown."""
    is_sound: bool = True

    def add(self, finding: Finding) -> None:
        """Note a finding."""
        self.numbers[finding.kind] += 1
        self.is_sound = self.is_sound and not finding.is_damage
        if self.numbers[finding.kind] <= MOST_SHOWN:
            self.findings.append(finding)

    @property
    def unshown(self) -> dict[str, int]:
        """How many there are of a kind beyond those shown."""
        return {kind: n - MOST_SHOWN for kind, n in self.numbers.items() if n > MOST_SHOWN}

    def to_json(self) -> dict[str, Any]:
        """Return all of it for programs."""
        return {
            "sound": self.is_sound,
            "looked_at": dict(self.looked_at),
            "numbers": dict(self.numbers),
            "findings": [
                {
                    "kind": one.kind,
                    "damage": one.is_damage,
                    "where": one.where,
                    "what": one.what,
                    "fix": one.fix,
                }
                for one in self.findings
            ],
        }
