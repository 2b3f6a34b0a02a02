"""Concatenates lines into one text."""


def main(args):
    """Return `lines` as they are, and as one text in `payload`."""
    lines = args.get("lines")
    if not isinstance(lines, list):
        return {"error": "Expected an argument 'lines' of type 'array'."}
    return {"lines": lines, "payload": "".join(f"{line}\n" for line in lines)}
