"""Who may call an API, and how often."""

from dataclasses import replace
from typing import Any

import pytest

from common.entity.api import Access, Api, ApiKey, digest_of, from_document, to_document
from common.errors import ApiKeyMissing, ApiKeyUnknown, MalformedContent, NoSuchResource
from common.ids import Namespace, Rev
from controller.gateway.access import new_key, shown_key, with_access, with_key, without_key
from controller.gateway.admission import admitted, allowance
from tests.unit.controller.gateway.documents import document

API = Api(
    tenant="t", namespace=Namespace("guest"), base_path="/books", document=document({}), rev=Rev("")
)


def keyed(*ids: str, **access: Any) -> Api:
    api = API
    for key_id in ids:
        api = with_key(api, new_key({}, f"{key_id}.secret", key_id, 7), most=10)
    return replace(api, access=replace(api.access, **access))


def test_an_open_api_asks_for_nothing() -> None:
    assert admitted(API, None) is None
    assert admitted(API, "whatever") is None


def test_any_of_the_keys_opens_it() -> None:
    api = keyed("a", "b", "c")
    for key_id in ("a", "b", "c"):
        key = admitted(api, f"{key_id}.secret")
        assert key is not None and key.key_id == key_id


@pytest.mark.parametrize("sent", ["a", "a.secre", "a.secret ", "A.secret", "é", "a.secret" * 100])
def test_nothing_else_does(sent: str) -> None:
    with pytest.raises(ApiKeyUnknown, match="The key in the header 'X-Mine' does not open"):
        admitted(keyed("a", header="X-Mine"), sent)


@pytest.mark.parametrize("sent", [None, ""])
def test_a_missing_key_is_asked_for_by_the_name_of_its_header(sent: str | None) -> None:
    with pytest.raises(ApiKeyMissing, match="send it in the header 'X-API-Key'"):
        admitted(keyed("a"), sent)


def test_an_api_whose_last_key_is_gone_opens_for_nobody() -> None:
    api = without_key(keyed("a"), "a")
    assert api.keys == ()
    with pytest.raises(ApiKeyUnknown):
        admitted(api, "a.secret")
    assert admitted(with_access(api, {"needsKey": False}), None) is None


def test_a_key_that_is_not_there_is_not_revoked() -> None:
    with pytest.raises(NoSuchResource):
        without_key(keyed("a"), "b")


def test_an_api_has_so_many_keys() -> None:
    with pytest.raises(MalformedContent, match="an API has 1 keys at most"):
        with_key(keyed("a"), new_key({}, "x", "b", 7), most=1)


def test_what_is_kept_of_a_key_does_not_tell_it() -> None:
    api = keyed("a")
    assert "secret" not in str(to_document(api))
    assert shown_key(api.keys[0]) == {"id": "a", "label": "", "perMinute": None, "created": 7}
    assert api.keys[0].digest == digest_of("a.secret")
    assert from_document(to_document(api), Rev("")) == api


def test_a_key_has_its_own_limit_or_that_of_the_api() -> None:
    api = keyed("a", "b", per_minute=5)
    a, b = api.keys
    own = allowance(api, replace(b, per_minute=9))
    common = allowance(api, a)
    assert own is not None and common is not None
    assert (own.per_minute, common.per_minute) == (9, 5)
    assert own.counted_as != common.counted_as
    assert allowance(API, None) is None
    everybody = allowance(replace(API, access=Access(per_minute=3)), None)
    assert everybody is not None and everybody.per_minute == 3


def test_what_is_not_said_of_access_stays() -> None:
    api = with_access(keyed("a"), {"perMinute": 5, "header": "X-Mine", "showsDocs": True})
    assert api.access == Access(needs_key=True, header="X-Mine", per_minute=5, shows_docs=True)
    assert with_access(api, {}).access == api.access
    assert with_access(api, {"perMinute": None, "showsDocs": None}).access == Access(
        needs_key=True, header="X-Mine"
    )


def test_documentation_is_shown_where_calls_are_open_unless_the_owner_says_otherwise() -> None:
    assert API.shows_docs
    assert not keyed("a").shows_docs
    assert with_access(keyed("a"), {"showsDocs": True}).shows_docs
    assert not with_access(API, {"showsDocs": False}).shows_docs


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "an object is expected"),
        ({"other": 1}, "an object is expected, with any of header, needsKey, perMinute, showsDocs"),
        ({"needsKey": None}, "needsKey is to be true or false"),
        ({"showsDocs": 1}, "showsDocs is to be true or false"),
        *[
            ({"perMinute": value}, "perMinute is to be a number from 1 to 100000")
            for value in (0, -1, "5", True, 1.5, 100_001)
        ],
        *[
            ({"header": value}, "header is to name a header of its own")
            for value in ("", "a b", "Cookie", "Authorization", "x\r\ny", "é", 7, "a" * 65)
        ],
    ],
)
def test_what_access_cannot_be(given: Any, text: str) -> None:
    with pytest.raises(MalformedContent) as refused:
        with_access(API, given)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    "given", [[], {"x": 1}, {"label": 7}, {"label": "a\nb"}, {"label": "x" * 101}, {"perMinute": 0}]
)
def test_what_a_key_cannot_be(given: Any) -> None:
    with pytest.raises(MalformedContent):
        new_key(given, "k", "a", 7)


def test_a_key_may_say_what_it_is_for() -> None:
    key = new_key({"label": "the shop", "perMinute": 60}, "k", "a", 7)
    assert key == ApiKey(
        key_id="a", label="the shop", digest=digest_of("k"), per_minute=60, created_ms=7
    )
