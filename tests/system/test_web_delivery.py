"""Answers of web actions as a browser asks for them: compressed, and not again what it has."""

import gzip
import http.client
from urllib.parse import urlsplit

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform

PAGE = "<p>the same again and again</p>" * 100
CODE = f"def main(args): return {{'body': {PAGE!r}, 'headers': args.get('headers', {{}})}}"
WEB = {"key": "web-export", "value": True}


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    made = Api(platform.url, platform.auth)
    made.put_action("plain", CODE, annotations=[WEB])
    asked = [{"key": name, "value": True} for name in ("web-compress", "web-etag")]
    made.put_action("asks", CODE, annotations=[WEB, *asked])
    return made


def get(api: Api, action: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """GET as a browser would; three times, so that both ways have answered."""
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=30)
    answers = []
    for extra in ({}, {}, {"Expect": ""}):
        named = {name.replace("_", "-"): value for name, value in headers.items()} | extra
        connection.request("GET", f"/api/v1/web/guest/default/{action}", headers=named)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        for own in ("date", "x-request-id", "x-openwhisk-activation-id"):
            told.pop(own)
        answers.append((answer.status, told, answer.read()))
    connection.close()
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


def test_an_action_that_asks_for_nothing_answers_as_it_did(api: Api) -> None:
    status, headers, body = get(api, "plain", Accept_Encoding="gzip", If_None_Match="*")
    assert (status, body) == (200, PAGE.encode())
    assert not {"etag", "vary", "content-encoding"} & headers.keys()


def test_a_page_is_compressed_and_not_sent_again(api: Api) -> None:
    status, headers, body = get(api, "asks", Accept_Encoding="gzip, deflate")
    assert (status, gzip.decompress(body)) == (200, PAGE.encode())
    assert (headers["content-encoding"], headers["vary"]) == ("gzip", "Accept-Encoding")
    assert headers["content-length"] == str(len(body))
    assert headers["content-type"] == "text/html; charset=UTF-8"

    status, again, body = get(
        api, "asks", Accept_Encoding="gzip, deflate", If_None_Match=headers["etag"]
    )
    assert (status, body) == (304, b"")
    assert again["etag"] == headers["etag"]
    assert not {"content-encoding", "content-type"} & again.keys()

    status, whole, body = get(api, "asks")
    assert (status, body) == (200, PAGE.encode())
    assert headers["etag"] == f"W/{whole['etag']}"
