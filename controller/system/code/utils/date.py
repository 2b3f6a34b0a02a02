"""Says what time it is."""

from datetime import datetime, timezone


def main(args):
    """Return the date and time in UTC, as ISO 8601 with milliseconds."""
    now = datetime.now(timezone.utc)  # noqa: UP017  of any Python that an action may run on
    return {"date": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z"}
