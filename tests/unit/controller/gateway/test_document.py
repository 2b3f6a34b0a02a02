"""How the document of an API changes when endpoints come and go."""

import copy
from typing import Any

import pytest

from common.entity.names import QualifiedName
from common.errors import ApiRefused
from common.ids import Namespace
from controller.gateway import document
from controller.gateway.document import Endpoint
from controller.gateway.routing import Routes

ECHO = QualifiedName(Namespace("guest"), "pk", "echo")


def endpoint(path: str = "/b", verb: str = "get", extension: str = "json", **more: Any) -> Endpoint:
    return Endpoint(
        base_path="/a",
        path=path,
        verb=verb,
        action=ECHO,
        address=f"https://host/api/v1/web/guest/pk/echo.{extension}",
        **more,
    )


def test_a_new_api_has_one_endpoint() -> None:
    made = document.with_endpoint(document.new("/a", ""), endpoint())
    assert made == {
        "swagger": "2.0",
        "info": {"title": "/a", "version": "1.0.0"},
        "basePath": "/a",
        "paths": {
            "/b": {
                "get": {
                    "operationId": "getB",
                    "parameters": [],
                    "x-openwhisk": {
                        "url": "https://host/api/v1/web/guest/pk/echo.json",
                        "namespace": "guest",
                        "package": "pk",
                        "action": "echo",
                    },
                    "responses": {"default": {"description": "Default response"}},
                }
            }
        },
        "x-ibm-configuration": {
            "assembly": {
                "execute": [
                    {
                        "operation-switch": {
                            "case": [
                                {
                                    "operations": ["getB"],
                                    "execute": [
                                        {
                                            "invoke": {
                                                "target-url": "https://host/api/v1/web/guest/pk/"
                                                "echo.json",
                                                "verb": "keep",
                                            }
                                        }
                                    ],
                                }
                            ]
                        }
                    }
                ]
            },
            "cors": {"enabled": True},
        },
    }


def test_http_is_given_the_path_and_a_secret_is_set() -> None:
    made = document.with_endpoint(
        document.new("/a", "name"), endpoint(extension="http", secret="s3cret")
    )
    [step] = made["x-ibm-configuration"]["assembly"]["execute"]
    [case] = step["operation-switch"]["case"]
    assert case["execute"] == [
        {
            "invoke": {
                "target-url": "https://host/api/v1/web/guest/pk/echo.http$(request.path)",
                "verb": "keep",
            }
        },
        {
            "set-variable": {
                "actions": [{"set": "message.headers.X-Require-Whisk-Auth", "value": "s3cret"}]
            }
        },
    ]
    leaf = Routes(made).find(["b"])
    assert leaf is not None
    target = leaf.operations["get"][1]
    assert target is not None
    assert (target.secret, target.takes_path, target.extension) == ("s3cret", True, ".http")


def test_an_endpoint_takes_the_place_of_its_like_and_stands_beside_others() -> None:
    one = document.with_endpoint(document.new("/a", ""), endpoint())
    before = copy.deepcopy(one)
    two = document.with_endpoint(one, endpoint(verb="post"))
    again = document.with_endpoint(two, endpoint(extension="text"))
    assert one == before
    assert [(each.path, each.verb) for each in document.operations(again)] == [
        ("/b", "get"),
        ("/b", "post"),
    ]
    [step] = again["x-ibm-configuration"]["assembly"]["execute"]
    assert [case["operations"] for case in step["operation-switch"]["case"]] == [
        ["getB"],
        ["postB"],
    ]
    assert str(again).count("echo.text") == 2


def test_two_operations_never_share_a_name() -> None:
    one = document.with_endpoint(document.new("/a", ""), endpoint(path="/aB"))
    two = document.with_endpoint(one, endpoint(path="/ab", extension="text"))
    assert [each.operation_id for each in document.operations(two)] == ["getAb", "getAb_2"]
    targets = [Routes(two).find([name]) for name in ("aB", "ab")]
    assert [leaf and leaf.operations["get"][1] for leaf in targets] == [
        document.target(document.Cases(two), each) for each in document.operations(two)
    ]


def test_what_is_taken_out_takes_its_case_along() -> None:
    two = document.with_endpoint(
        document.with_endpoint(document.new("/a", ""), endpoint()), endpoint(verb="post")
    )
    left = document.without(two, "/b", "get")
    assert [each.verb for each in document.operations(left)] == ["post"]
    assert "getB" not in str(left)
    assert document.without(left, "/b", "post")["paths"] == {}
    assert document.without(two, "/b", None)["paths"] == {}
    assert "getB" in str(two)


@pytest.mark.parametrize(
    ("path", "verb", "text"),
    [
        ("/c", None, "path '/c' does not exist in the API"),
        ("/c", "get", "path '/c' does not exist in the API"),
        ("/b", "post", "path '/b' with operation 'post' does not exist in the API"),
    ],
)
def test_what_is_not_there_is_not_taken_out(path: str, verb: str | None, text: str) -> None:
    made = document.with_endpoint(document.new("/a", ""), endpoint())
    with pytest.raises(ApiRefused) as refused:
        document.without(made, path, verb)
    assert str(refused.value) == text
