"""Which version of Brisk this is. What it writes says so, for whoever reads it later."""

from typing import Final

VERSION: Final = "0.1.0"
PROGRAM: Final = f"Brisk {VERSION}"
