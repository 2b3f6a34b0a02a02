"""Documents of APIs for tests."""

from typing import Any

URL = "https://host/api/v1/web/guest/default/echo.http"


def operation(name: str = "", **more: Any) -> dict[str, Any]:
    """Return an operation that leads to the action `echo`."""
    to = {"url": URL, "namespace": "guest", "package": "", "action": "echo"}
    named = {"operationId": name} if name else {}
    return {**named, "x-openwhisk": to, "responses": {"default": {"description": "x"}}, **more}


def document(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a document of Swagger 2.0 with *paths*."""
    return {
        "swagger": "2.0",
        "info": {"title": "books", "version": "1.0.0"},
        "basePath": "/books",
        "paths": paths,
        **more,
    }
