"""Which kinds the platform runs, and what a runtime in a manifest means there. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.jsontext import Json


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the document of runtimes says; nothing where the platform has none.

    defaults: by language, the kind that `language:default` is.
    """

    known: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(document: Json) -> "Kinds":
        """Return the kinds in the document that a platform shows at its root."""
        runtimes = document.get("runtimes") if isinstance(document, dict) else None
        known: set[str] = set()
        defaults: dict[str, str] = {}
        for language, entries in (runtimes if isinstance(runtimes, dict) else {}).items():
            listed = [one for one in entries or [] if isinstance(one, dict) and "kind" in one]
            known |= {str(one["kind"]) for one in listed}
            usual = [str(one["kind"]) for one in listed if one.get("default")]
            if usual or len(listed) == 1:
                defaults[str(language)] = usual[0] if usual else str(listed[0]["kind"])
        return Kinds(frozenset(known), defaults)

    def resolved(self, runtime: str) -> str | None:
        """Return the kind that *runtime* means: a kind, a language, or its default."""
        words = runtime.strip().lower()
        if words in self.known:
            return words
        language, _, version = words.partition(":")
        if version in ("", "default"):
            # A platform that does not say what it has finds out itself.
            return self.defaults.get(language) if self.known else f"{language}:default"
        return None if self.known else words
