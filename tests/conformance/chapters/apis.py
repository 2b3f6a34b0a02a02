"""APIs: managed by the actions of `/whisk.system/apimgmt`, and called."""

import json
import re
from typing import Any, Final

from tests.conformance.table import ECHO, NOTHING, Ask, Exactly, Row, ask, code, pairs

MANAGEMENT: Final = "/api/v1/web/whisk.system/apimgmt"
QUERY: Final = "accesstoken=DUMMY+TOKEN&spaceguid=<tenant>"
WEB: Final = [ask("PUT actions/act", code(ECHO, annotations=pairs(**{"web-export": True})))]
ACTION: Final = {
    "name": "act",
    "namespace": "_",
    "backendMethod": "GET",
    "backendUrl": "http://host/api/v1/web/_/default/act.http",
    "authkey": "<auth>",
}
ENDPOINT: Final = {
    "namespace": "_",
    "gatewayBasePath": "/a",
    "gatewayPath": "/b",
    "gatewayMethod": "GET",
    "action": ACTION,
}
DOCUMENT: Final = {
    "swagger": "2.0",
    "basePath": "/doc",
    "info": {"title": "Documented", "version": "1.0.0"},
    "paths": {
        "/x": {
            "get": {
                "operationId": "getX",
                "responses": {},
                "x-openwhisk": {
                    "url": "http://host/api/v1/web/<ns>/default/act.json",
                    "namespace": "<ns>",
                    "package": "",
                    "action": "act",
                },
            }
        }
    },
}
MADE: Final = {
    "namespace": "Not Used",
    "gwApiActivated": True,
    "tenantId": "Not Used",
    "gwApiUrl": re.compile(r"/api/<tenant>/a\Z"),
}
CASE: Final = {
    "operations": ["getB"],
    "execute": [
        {
            "invoke": {
                "target-url": "http://host/api/v1/web/<ns>/default/act.json",
                "verb": "keep",
            }
        }
    ],
}
WHOLE: Final = {
    "swagger": "2.0",
    "info": {"title": "/a", "version": "1.0.0"},
    "basePath": "/a",
    "paths": {
        "/b": {
            "get": {
                "operationId": "getB",
                "x-openwhisk": {
                    "url": "http://host/api/v1/web/<ns>/default/act.json",
                    "namespace": "<ns>",
                    "package": "",
                    "action": "act",
                },
                "responses": {"default": {"description": "Default response"}},
            }
        }
    },
    "x-ibm-configuration": {
        "assembly": {"execute": [{"operation-switch": {"case": [CASE]}}]},
        "cors": {"enabled": True},
    },
}


def create(apidoc: Any, response_type: str = "json", **more: Any) -> Ask:
    """Return a request that makes an API."""
    path = f"{MANAGEMENT}/createApi.http?{QUERY}&responsetype={response_type}"
    return ask(f"POST {path}", {"apidoc": apidoc}, **more)


def told(action: str, error: str, body: Any = NOTHING, query: str = QUERY, **more: Any) -> Ask:
    """Return a request to manage APIs that is refused with *error*, as an action's error is."""
    return ask(
        f"POST {MANAGEMENT}/{action}.http?{query}",
        {} if body is NOTHING else body,
        502,
        shows=Exactly({"error": error}),
        **more,
    )


def without(name: str, given: dict[str, Any] = ENDPOINT) -> dict[str, Any]:
    """Return *given* without one of its fields."""
    return {key: value for key, value in given.items() if key != name}


ROWS = (
    Row(
        "11.1 11.2 11.3 c6.2",
        "an API is made of an endpoint, and found",
        [
            *WEB,
            create(ENDPOINT, shows=MADE | {"apidoc": WHOLE}),
            create(json.dumps(ENDPOINT | {"gatewayPath": "/c", "gatewayMethod": "post"})),
            ask(
                f"GET {MANAGEMENT}/getApi.http?{QUERY}&basepath=/a",
                shows=Exactly(
                    {"apis": [Exactly({"id": "Not Used", "key": "Not Used", "value": MADE})]}
                ),
            ),
            ask(f"GET {MANAGEMENT}/getApi?{QUERY}&basepath=%2Fnone", shows=Exactly({"apis": []})),
            ask(f"POST {MANAGEMENT}/getApi.http", {"basepath": "/a"}, shows={"apis": [{}]}),
            ask(
                f"GET {MANAGEMENT}/getApi.http?{QUERY}",
                auth="other",
                shows=Exactly({"apis": []}),
            ),
        ],
    ),
    Row(
        "11.2 11.5",
        "an API that cannot be made",
        [
            *WEB,
            told("createApi", "A valid auth key is required.", {"apidoc": ENDPOINT}, auth=None),
            told("createApi", "apidoc is required."),
            told(
                "createApi",
                "apidoc field cannot be parsed. Ensure it is valid JSON.",
                {"apidoc": "{"},
            ),
            told(
                "createApi",
                "apidoc is missing the namespace field",
                {"apidoc": without("namespace")},
            ),
            *(
                told(
                    "createApi",
                    f"apidoc is missing the {name} field",
                    {"apidoc": without(name)},
                )
                for name in ("gatewayBasePath", "gatewayPath", "gatewayMethod")
            ),
            told("createApi", "apidoc is missing the action field.", {"apidoc": without("action")}),
            *(
                told(
                    "createApi",
                    f"action is missing the {name} field.",
                    {"apidoc": ENDPOINT | {"action": without(name, ACTION)}},
                )
                for name in ("backendMethod", "backendUrl", "namespace", "name", "authkey")
            ),
            told(
                "createApi",
                "swagger and gatewayBasePath are mutually exclusive and cannot be specified "
                "together.",
                {"apidoc": ENDPOINT | {"swagger": DOCUMENT}},
            ),
            told(
                "createApi",
                "swagger field cannot be parsed. Ensure it is valid JSON.",
                {"apidoc": {"namespace": "_", "swagger": "{"}},
            ),
            *(
                told(
                    "createApi",
                    f"swagger is missing the {name} field.",
                    {"apidoc": {"namespace": "_", "swagger": without(name, DOCUMENT)}},
                )
                for name in ("basePath", "paths", "info")
            ),
            told(
                "createApi",
                "API creation failure: The base path (/{x}) cannot have parameters. "
                "Only the relative path supports path parameters.",
                {"apidoc": ENDPOINT | {"gatewayBasePath": "/{x}"}},
            ),
            told(
                "createApi",
                "API creation failure: The action must use a response type of '.http' in order to "
                "receive the path parameters.",
                {"apidoc": ENDPOINT | {"gatewayPath": "/{x}"}},
            ),
            told(
                "createApi",
                "API creation failure: The parameter 'x' defined in path '/{x}' does not match "
                "any of the parameters defined for the path in the swagger file.",
                {"apidoc": ENDPOINT | {"gatewayPath": "/{x}"}, "responsetype": "http"},
            ),
        ],
    ),
    Row(
        "11.3 11.4 11.5",
        "what is not found, and not deleted",
        [
            *WEB,
            create(ENDPOINT),
            told("getApi", "Invalid authentication.", auth=None),
            told(
                "getApi",
                "Invalid outputFormat value. Valid values are: apigw, swagger",
                {"outputFormat": "raml"},
            ),
            told("deleteApi", "basepath is required."),
            told(
                "deleteApi",
                "When specifying an operation, the path is required.",
                {"basepath": "/a", "operation": "get"},
            ),
            told(
                "deleteApi",
                "API deletion failure: API '/none' does not exist.",
                {"basepath": "/none"},
            ),
            told(
                "deleteApi",
                "API deletion failure: path '/none' does not exist in the API",
                {"basepath": "/a", "relpath": "/none"},
            ),
            told(
                "deleteApi",
                "API deletion failure: path '/b' with operation 'put' does not exist in the API",
                {"basepath": "/a", "relpath": "/b", "operation": "PUT"},
            ),
            told(
                "deleteApi",
                "API deletion failure: API '/a' does not exist.",
                {"basepath": "/a"},
                auth="other",
            ),
            ask(
                f"DELETE {MANAGEMENT}/deleteApi.http?{QUERY}&basepath=/a&relpath=/b&operation=GET",
                shows=Exactly({}),
            ),
            ask(f"GET {MANAGEMENT}/getApi.http?{QUERY}", shows=Exactly({"apis": []})),
        ],
    ),
    Row(
        "11.6 11.2",
        "an API is called",
        [
            *WEB,
            create(ENDPOINT),
            create(
                ENDPOINT
                | {
                    "gatewayPath": "/c/{id}",
                    "pathParameters": [{"name": "id", "in": "path", "required": True}],
                },
                "http",
            ),
            ask(
                "GET /gw/api/<tenant>/a/b?n=1",
                auth=None,
                shows={"n": "1", "__ow_path": "", "__ow_method": "get"},
                has={"access-control-allow-origin": "*"},
                eventually=True,
            ),
            ask(
                "GET /gw/api/<tenant>/a/c/7",
                status=204,
                auth=None,
                has={"content-type": None},
                eventually=True,
            ),
            ask("OPTIONS /gw/api/<tenant>/a/b", status=204, auth=None),
            ask("PUT /gw/api/<tenant>/a/b", status=405, auth=None, has={"allow": "GET, HEAD"}),
            ask("GET /gw/api/<tenant>/a/none", status=404, auth=None),
            ask("GET /gw/api/<tenant>/none", status=404, auth=None),
        ],
    ),
)
