"""Returns the address of an action or a trigger of the caller's namespace."""

import os
from urllib.parse import quote

EXTENSIONS = (".html", ".http", ".json", ".text", ".svg")


def main(args):
    """Return `url`: of the action `path`, its web address with `web`, or a trigger's."""
    path, extension = args.get("path"), args.get("ext") or ".json"
    if not isinstance(path, str) or not path:
        return {"error": "Expected an argument 'path' of type 'string'."}
    if extension not in EXTENSIONS:
        return {"error": f"Expected an argument 'ext' that is one of {', '.join(EXTENSIONS)}."}
    root = os.environ["__OW_API_HOST"].rstrip("/") + "/api/v1"
    namespace, name = quote(os.environ["__OW_NAMESPACE"]), quote(path.strip("/"))
    if args.get("trigger"):
        return {"url": f"{root}/namespaces/{namespace}/triggers/{name}"}
    if args.get("web"):
        named = name if "/" in name else f"default/{name}"
        return {"url": f"{root}/web/{namespace}/{named}{extension}"}
    return {"url": f"{root}/namespaces/{namespace}/actions/{name}"}
