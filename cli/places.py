"""Where things are on this host when nobody says."""

from pathlib import Path

from cli import environment


def default_path() -> Path:
    """Return where data goes when nobody says: the XDG data folder."""
    base = environment.variable("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "brisk"
