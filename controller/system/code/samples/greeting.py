"""Greets by name and place."""


def main(args):
    """Return a greeting of `name`, from `place`."""
    name, place = args.get("name") or args.get("payload"), args.get("place")
    return {"payload": f"Hello, {name or 'stranger'} from {place or 'somewhere'}!"}
