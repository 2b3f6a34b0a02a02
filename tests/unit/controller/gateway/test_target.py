import pytest

from common.entity.names import QualifiedName
from common.errors import ApiRefused
from common.ids import Namespace
from controller.gateway.target import Target, address_of, host_of, target_of

GUEST = Namespace("guest")
ECHO = QualifiedName(GUEST, None, "echo")


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("https://h/api/v1/web/guest/default/echo.json", Target(ECHO, ".json")),
        ("http://h:1/api/v1/web/guest/default/echo", Target(ECHO, ".http")),
        (
            "https://h/api/v1/web/guest/pk/echo.http$(request.path)",
            Target(QualifiedName(GUEST, "pk", "echo"), ".http", "", True),
        ),
        ("https://h/api/v1/web/guest/default/echo.http/x/y", Target(ECHO, ".http", "/x/y")),
        ("https://http://h:1/api/v1/web/guest/default/echo.text", Target(ECHO, ".text")),
        (
            "https://h/api/v1/web/guest/default/a.xyz",
            Target(QualifiedName(GUEST, None, "a.xyz"), ".http"),
        ),
        ("https://example.com/elsewhere", None),
        ("https://h/api/v1/namespaces/guest/actions/echo", None),
        ("https://h/api/v1/web/..%2f/default/echo.json", None),
        ("x" * 100_000, None),
    ],
)  # fmt: skip
def test_where_an_address_leads(address: str, target: Target | None) -> None:
    assert target_of(address) == target


def test_the_path_of_the_request_is_given_where_the_address_says_so() -> None:
    assert Target(ECHO, ".http", "/x", True).path("/base/7") == "/x/base/7"
    assert Target(ECHO, ".http", "/x").path("/base/7") == "/x"


def test_an_address_is_made_of_a_host_and_an_action() -> None:
    host = host_of("https://http://h:3233/api/v1/web/guest/default/echo.http")
    assert host == "http://h:3233"
    assert address_of(host, ECHO, "svg") == "http://h:3233/api/v1/web/guest/default/echo.svg"
    assert host_of("h/api/v1/web/guest/default/echo") == "https://h"
    with pytest.raises(ApiRefused, match=r"'xml' is not a valid response type\."):
        address_of(host, ECHO, "xml")
    with pytest.raises(ApiRefused, match="is not the address of a web action"):
        host_of("https://example.com/")


def test_a_secret_is_not_shown() -> None:
    assert "s3cret" not in repr(Target(ECHO, ".http", secret="s3cret"))
