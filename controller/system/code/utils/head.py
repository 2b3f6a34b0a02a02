"""Returns the first lines."""


def main(args):
    """Return the first `num` of `lines`; one, if no number is given."""
    lines, number = args.get("lines"), args.get("num", 1)
    if not isinstance(lines, list):
        return {"error": "Expected an argument 'lines' of type 'array'."}
    if not isinstance(number, int) or number < 0:
        return {"error": "Expected an argument 'num' of type 'integer', not below zero."}
    return {"lines": lines[:number], "num": number}
