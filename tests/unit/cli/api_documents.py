"""An API as the platform shows it, for the tests of `api`."""

from typing import Any

AT = "/api/v1/web/whisk.system/apimgmt"
WHO = "accesstoken=DUMMY+TOKEN"
ACTION = {
    "namespace": "guest",
    "name": "hello",
    "annotations": [{"key": "web-export", "value": True}],
}
TO = {"url": "http://h/x", "namespace": "guest", "package": "", "action": "hello"}
SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "basePath": "/base",
    "info": {"title": "letters", "version": "1.0.0"},
    "paths": {
        "/b": {"get": {"operationId": "getB", "responses": {}, "x-openwhisk": TO}},
        "/a": {
            "post": {
                "operationId": "postA",
                "responses": {},
                "x-openwhisk": TO | {"package": "pk"},
            },
            "put": {"responses": {}},
        },
    },
    "x-ibm-configuration": {"cors": {"enabled": True}},
}
VALUE: dict[str, Any] = {
    "namespace": "Not Used",
    "gwApiActivated": True,
    "tenantId": "Not Used",
    "gwApiUrl": "http://h/api/t/base",
    "apidoc": SWAGGER,
}
