"""Nests all properties under one that is named."""


def main(args):
    """Return everything but `$fieldName` below the name that it holds."""
    name = args.get("$fieldName")
    if not isinstance(name, str):
        return {"error": "Expected an argument '$fieldName' of type 'string'."}
    return {name: {key: value for key, value in args.items() if key != "$fieldName"}}
