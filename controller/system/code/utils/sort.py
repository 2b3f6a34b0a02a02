"""Sorts lines."""


def main(args):
    """Return `lines` in order, numbers before texts, and how many there are."""
    lines = args.get("lines")
    if not isinstance(lines, list):
        return {"error": "Expected an argument 'lines' of type 'array'."}
    ordered = sorted(lines, key=_place)
    return {"lines": ordered, "length": len(ordered)}


def _place(line):
    is_number = isinstance(line, (int, float))
    return (not is_number, line if is_number else 0, "" if is_number else str(line))
