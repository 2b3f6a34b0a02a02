"""Splits a text into lines, or at whatever separates its parts."""

import re

LINES = r"\r?\n"


def main(args):
    """Return the parts of `payload` as `lines`; `separator` is a regular expression."""
    payload = args.get("payload", "")
    if not isinstance(payload, str):
        return {"error": "Expected an argument 'payload' of type 'string'."}
    try:
        lines = re.split(args.get("separator") or LINES, payload)
    except (re.error, TypeError) as error:
        return {"error": f"The argument 'separator' is no regular expression: {error}."}
    return {"lines": lines, "payload": payload}
