"""What the name of an image says: where it is from, and which one is meant. Pure.

Source: distribution's `reference.go`, as `common.entity.exec_request` has checked it.
"""

from typing import Final, NamedTuple

DEFAULT: Final = "default"
"""Where engines look for an image whose name has no host."""
_LATEST: Final = "latest"
_ALGORITHMS: Final = ("sha256", "sha384", "sha512")


class Reference(NamedTuple):
    """A name, whole."""

    repository: str
    """With the registry's host, if it has one."""
    tag: str
    """Or its digest, for what is pulled by that."""

    def __str__(self) -> str:
        """Return it with its tag, so that an engine can't take it for the id of an image."""
        return f"{self.repository}:{self.tag}"

    @property
    def registry(self) -> str:
        """The host, and port if any, that it is pulled from."""
        first, slash, _ = self.repository.partition("/")
        is_host = slash and ("." in first or ":" in first or first == "localhost")
        return first if is_host else DEFAULT

    @property
    def is_id(self) -> bool:
        """Whether an engine would take it for the id of an image, whoever may use that."""
        return self.repository in _ALGORITHMS

    @property
    def may_change(self) -> bool:
        """Whether what it names may be another tomorrow, by everybody's custom."""
        return self.tag == _LATEST


def parse(text: str) -> Reference:
    """Return the reference that *text* means; without a tag it is `latest`."""
    folder, slash, name = text.rpartition("/")
    name, _, tag = name.partition(":")
    return Reference(folder + slash + name, tag or _LATEST)
