"""Greets in the log."""


def main(args):
    """Print a greeting of `payload`, and return nothing."""
    print(f"hello {args.get('payload') or 'world'}!")
    return {}
