"""Which program this is.

The contract's tests look for a build stamp that begins with the year, so the day of the build leads
and the version follows.
"""

from typing import Final

from common.version import VERSION as VERSION

BUILT_ON: Final = "2026-11-21"
STAMP: Final = f"{BUILT_ON}T00:00:00Z-{VERSION}"
