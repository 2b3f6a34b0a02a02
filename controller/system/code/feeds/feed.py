"""A feed: passes on what becomes of a trigger to the platform's provider of events."""

import base64
import http.client
import json
import os
from urllib.parse import quote, urlsplit

ANSWER_S = 50


def main(args):
    """Return what the provider answers; an error has the caller undo what it has begun."""
    told = dict(args)
    told["triggerName"] = _trigger(str(args.get("triggerName") or ""))
    auth = str(args.get("authKey") or "")
    if not auth:
        return {"error": "no authKey parameter was provided"}
    _, package, feed = os.environ["__OW_ACTION_NAME"].strip("/").split("/")
    try:
        status, answer = _tell(package, feed, auth, json.dumps(told))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"error": f"the provider of events cannot be reached: {error!r}"}
    if status == http.client.OK:
        return answer
    return {"error": answer.get("error") or f"the provider of events answered {status}"}


def _trigger(name):
    """Return the trigger with its namespace: `_` is that of who invokes this action."""
    namespace, _, rest = name.strip("/").rpartition("/")
    own = namespace in ("", "_")
    return f"/{os.environ['__OW_NAMESPACE'] if own else namespace}/{rest}"


def _tell(package, feed, auth, body):
    host = urlsplit(os.environ["__OW_API_HOST"])
    kind = http.client.HTTPSConnection if host.scheme == "https" else http.client.HTTPConnection
    connection = kind(host.netloc, timeout=ANSWER_S)
    try:
        connection.request(
            "POST",
            f"/api/brisk/v1/feeds/{quote(package)}/{quote(feed)}",
            body.encode(),
            {
                "Authorization": "Basic " + base64.b64encode(auth.encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()
