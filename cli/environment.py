"""The environment, as client commands see it.

The settings of the platform are read by `common.settings`, which imports pydantic: a quarter of a
second that a client command must not pay. The variables of a client are few and foreign (`WHISK_*`,
`NO_COLOR`, the proxies), so they have this small door of their own.
"""

import os


def variable(name: str) -> str:
    """Return the value of *name*; empty when it is not set."""
    return os.environ.get(name, "")  # noqa: TID251 — this module is the client's only reader


def is_set(name: str) -> bool:
    """Tell whether *name* is there at all, be it empty."""
    return name in os.environ  # noqa: TID251


def all_variables() -> dict[str, str]:
    """Return everything that is set: a manifest may name any of it."""
    return dict(os.environ)  # noqa: TID251
