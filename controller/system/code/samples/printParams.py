"""Shows what it is given."""

import json


def main(args):
    """Print each parameter, by name, and return all of them."""
    ordered = dict(sorted(args.items()))
    for name, value in ordered.items():
        print(f"{name}: {json.dumps(value)}")
    return {"params": ordered}
