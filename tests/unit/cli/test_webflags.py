import pytest

from cli.failures import Failure
from cli.webflags import Annotations, Bindings, WebFlags, annotations

SYSTEM = {"key": "exec", "value": "python:3.11"}
WEB = {"web-export": True, "raw-http": False, "final": True}


def bindings(**pairs: object) -> Bindings:
    return [{"key": key.replace("_", "-"), "value": value} for key, value in pairs.items()]


def web(**changes: object) -> Bindings:
    return [{"key": key, "value": value} for key, value in (WEB | changes).items()]


def planned(flags: WebFlags, given: Bindings | None, stored: Bindings) -> Annotations:
    return annotations(flags, given, stored, lambda: 42)


def test_nothing_typed_is_nothing_sent() -> None:
    assert planned(WebFlags(), None, [SYSTEM]) == Annotations(None)
    assert planned(WebFlags(), bindings(k=1), [SYSTEM]) == Annotations(bindings(k=1))


def test_web_alone_keeps_what_is_stored() -> None:
    stored = [SYSTEM, *bindings(final=False, k=1)]
    assert planned(WebFlags(web="YES"), None, stored).listed == [SYSTEM, *bindings(k=1), *web()]


def test_web_with_annotations_keeps_only_the_secret() -> None:
    stored = [SYSTEM, *bindings(k=1, require_whisk_auth="s")]
    plan = planned(WebFlags(web="true"), bindings(a=1), stored)
    assert plan.listed == [*bindings(a=1, require_whisk_auth="s"), *web()]


def test_no_takes_it_from_the_web() -> None:
    off = {"web-export": False, "final": False}
    assert planned(WebFlags(web="no"), None, web()).listed == web(**off)


@pytest.mark.parametrize(
    ("typed", "stored", "secret"),
    [
        ("abc", {}, "abc"),
        ("true", {}, 42),
        ("true", {"require_whisk_auth": 7}, 7),
        ("true", {"require_whisk_auth": True}, 42),
        ("true", {"require_whisk_auth": "abc"}, 42),
        ("false", {}, False),
    ],
)
def test_the_secret(typed: str, stored: dict[str, object], secret: object) -> None:
    plan = planned(WebFlags(secure=typed), None, web() + bindings(**stored))
    assert plan == Annotations([*web(), *bindings(require_whisk_auth=secret)])


def test_a_stored_secret_is_deleted() -> None:
    plan = planned(
        WebFlags(secure="false", deleted=("k",)), None, web() + bindings(require_whisk_auth=1)
    )
    assert plan == Annotations(web(), ("k", "require-whisk-auth"))


def test_a_secret_with_annotations_leaves_the_action_on_the_web() -> None:
    plan = planned(WebFlags(secure="s"), bindings(a=1), [SYSTEM, *web()])
    assert plan.listed == [*bindings(a=1), *web(), *bindings(require_whisk_auth="s")]


@pytest.mark.parametrize("flags", [WebFlags(secure="s"), WebFlags(secure="s", web="no")])
def test_a_secret_is_for_web_actions(flags: WebFlags) -> None:
    with pytest.raises(Failure, match="only valid when the --web option is enabled"):
        planned(flags, None, [SYSTEM])
