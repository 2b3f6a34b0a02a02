"""Says in whose namespace an action runs."""

import os


def main(args):
    """Return the namespace of who invokes this action."""
    return {"namespace": os.environ["__OW_NAMESPACE"]}
