"""Fetches a page."""

import urllib.request

ANSWER_S = 20
MOST_BYTES = 500_000


def main(args):
    """Return what the host or the address in `payload` answers, up to a bound, as `msg`."""
    url = str(args.get("payload") or "")
    if not url:
        return {"error": "Expected an argument 'payload' of type 'string'."}
    if "://" not in url:
        url = f"http://{url}"
    if not url.startswith(("http://", "https://")):
        return {"error": f"{url} is no address of HTTP."}
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:
            return {"msg": answer.read(MOST_BYTES).decode("utf-8", "replace")}
    except (OSError, ValueError) as error:
        return {"error": f"{url} cannot be read: {error}"}
