"""Returns what it is given."""


def main(args):
    """Return *args*."""
    return args
