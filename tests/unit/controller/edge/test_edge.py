"""Small parts of the edge: credentials, transaction ids, queries, media types and names."""

import base64
import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.entity.names import is_legal
from common.errors import BriskError, IllegalName, NameTooLong
from common.ids import TransId
from controller.edge import address, answers, auth, content, query
from controller.edge.errors import ANSWERS, answer_to
from controller.edge.rejections import (
    InvalidCredentials,
    MalformedQuery,
    MissingCredentials,
    NotAcceptable,
)
from controller.edge.transid import TransactionIds
from tests.fakes.running_api import GUEST, KEY, UUID, OneGuest, authorization


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
async def test_a_key_opens_its_namespace(scheme: str) -> None:
    header = authorization().replace("Basic", scheme)
    assert await auth.authenticate(header, OneGuest()) == GUEST
    assert await auth.authenticate(header.rstrip("="), OneGuest()) == GUEST


@pytest.mark.parametrize("header", [None, "", "Basic !!!", "Bearer abc", "Basic", "Digest x", "x"])
async def test_what_is_not_basic_is_not_supplied(header: str | None) -> None:
    if header == "Basic":  # An empty text is base64, of nothing: nobody's credentials.
        with pytest.raises(InvalidCredentials):
            await auth.authenticate(header, OneGuest())
        return
    with pytest.raises(MissingCredentials):
        await auth.authenticate(header, OneGuest())


@pytest.mark.parametrize(
    "credentials",
    ["x", ":", f"{UUID}", f"{UUID}:", f"{UUID}:{'w' * 64}", f"{UUID}:{KEY}k", f"{UUID}x:{KEY}"],
)
async def test_what_is_nobodys_is_invalid(credentials: str) -> None:
    with pytest.raises(InvalidCredentials):
        await auth.authenticate(authorization(credentials), OneGuest())


async def test_credentials_that_are_no_text_are_invalid() -> None:
    header = "Basic " + base64.b64encode(b"\xff\xfe:x").decode()
    with pytest.raises(InvalidCredentials):
        await auth.authenticate(header, OneGuest())


@pytest.mark.parametrize("given_id", ["mine", "x" * 256, "a-b_c:1"])
def test_a_client_may_name_its_request(given_id: str) -> None:
    assert TransactionIds().of(given_id) == given_id


@pytest.mark.parametrize(
    "given_id", [None, "", "sid_1", "x" * 257, "two words", "snow☃", "line\nbreak", "\udcff"]
)
def test_a_name_that_cannot_be_used_is_replaced(given_id: str | None) -> None:
    made = TransactionIds().of(given_id)
    assert len(made) == 32
    assert set(made) <= set(string.ascii_letters + string.digits)
    assert made != TransactionIds().of(given_id)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("YES", True),
        ("On", True),
        ("1", True),
        ("false", False),
        ("no", False),
        ("off", False),
        ("0", False),
        ("", True),
    ],
)
def test_booleans_have_many_names(text: str, value: bool) -> None:
    assert query.boolean({"b": text}, "b", default=True) is value


@pytest.mark.parametrize(
    ("given_query", "text"),
    [
        ({"count": "x"}, "'count' was malformed:\n'x' is not a valid Boolean value"),
        (
            {"limit": "201"},
            "'limit' was malformed:\nThe value '201' is not in the range of 0 to 200 for actions.",
        ),
        (
            {"limit": "-1"},
            "'limit' was malformed:\nThe value '-1' is not in the range of 0 to 200 for actions.",
        ),
        ({"limit": ""}, "'limit' was malformed:\nThe value '' is not an integer for actions."),
        ({"limit": "²"}, "'limit' was malformed:\nThe value '²' is not an integer for actions."),
        (
            {"limit": "9" * 30},
            f"'limit' was malformed:\nThe value '{'9' * 30}' is not an integer for actions.",
        ),
        (
            {"skip": "-1"},
            "'skip' was malformed:\nThe value '-1' is not greater than or equal to 0 for actions.",
        ),
        ({"skip": "x"}, "'skip' was malformed:\nThe value 'x' is not an integer for actions."),
        (
            {"skip": "x", "limit": "x", "count": "x"},
            "'skip' was malformed:\nThe value 'x' is not an integer for actions.",
        ),
    ],
)
def test_a_page_that_is_none_is_refused(given_query: dict[str, str], text: str) -> None:
    with pytest.raises(MalformedQuery) as refused:
        query.page(given_query, "actions")
    assert str(refused.value) == f"The query parameter {text}"


@pytest.mark.parametrize("text", ["0", "-1", "60001", "x", "", "1.5"])
def test_a_wait_is_at_least_a_millisecond_and_at_most_the_longest(text: str) -> None:
    with pytest.raises(MalformedQuery) as refused:
        query.wait_ms({"timeout": text}, 60_000)
    assert str(refused.value) == (
        "The query parameter 'timeout' was malformed:\n"
        "Timeout must be number of milliseconds up to 60000."
    )
    assert query.wait_ms({"timeout": "1"}, 60_000) == 1
    assert query.wait_ms({}, 60_000) == 60_000


@pytest.mark.parametrize("name", ["a/b/c", "$bad", "0 ", "a/", "/a"])
def test_a_filter_is_a_name_or_a_package_and_a_name(name: str) -> None:
    if name.strip("/") == "a":  # Slashes around a path do not count.
        assert query.action_filter({"name": name}) == "a"
        return
    with pytest.raises(MalformedQuery) as refused:
        query.action_filter({"name": name})
    assert str(refused.value).endswith(
        f"Parameter may be a 'simple' name or 'package-name/simple' name: {name}"
    )


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json",
        "application/*",
        "text/html, */*;q=0.1",
        "Application/JSON; charset=utf-8",
        "text/html;q=0.9,application/json;q=0.5",
    ],
)
def test_who_reads_json_is_served(accept: str | None) -> None:
    content.check_acceptable(accept)


@pytest.mark.parametrize("accept", ["text/html", "application/jsonx", "*/*;q=0", "text/*;q=1"])
def test_who_reads_no_json_is_not(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        content.check_acceptable(accept)
    assert str(refused.value) == (
        "Resource representation is only available with these types:\napplication/json"
    )


LEGAL = string.ascii_letters + string.digits + "_@ .&-"


@given(st.text(alphabet=LEGAL, min_size=1, max_size=300) | st.text(max_size=10))
def test_a_name_is_legal_or_refused_for_its_length_or_its_letters(name: str) -> None:
    first_is_word = bool(name) and (name[0].isalnum() or name[0] == "_") and name[0].isascii()
    expected = first_is_word and set(name) <= set(LEGAL) and name[-1] != " " and len(name) <= 256
    assert is_legal(name) is expected
    if expected:
        assert address.legal_name(name) == name
    else:
        with pytest.raises(NameTooLong if len(name) > 256 else IllegalName):
            address.legal_name(name)


def families(error: type[BriskError]) -> list[type[BriskError]]:
    below = [each for child in error.__subclasses__() for each in families(child)]
    return [error, *below]


def test_every_error_of_the_contract_has_an_answer() -> None:
    ours = [each for each in families(BriskError) if each.__module__ == "common.errors"]
    unanswered = {each.__name__ for each in ours} - {each.__name__ for each in ANSWERS}
    assert unanswered == {"BriskError"}


@pytest.mark.parametrize("error", [ValueError("x"), BriskError("x"), KeyError()])
def test_what_nobody_foresaw_is_a_fault_of_ours(error: Any) -> None:
    assert answer_to(error).status == 500
    assert answer_to(error).text == "There was an internal server error."


def test_an_error_of_a_part_behind_the_api_gets_its_code() -> None:
    transid = TransId("mine")
    told = {b'{"error": "gone", "more": 1}': "gone", b"<html>": "<html>", b"[1]": [1]}
    for text, error in told.items():
        answer = answers.passed_on(404, text, transid)
        assert isinstance(answer.body, bytes)
        assert json.loads(answer.body) == {"error": error, "code": "mine"}
    assert answers.passed_on(202, b'{"error": 1}', transid).body == b'{"error": 1}'
