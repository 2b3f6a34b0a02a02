"""Counts words."""


def main(args):
    """Return how many words `payload` has."""
    payload = str(args.get("payload") or "")
    count = len(payload.split())
    print(f"The message '{payload}' has {count} words")
    return {"count": count}
