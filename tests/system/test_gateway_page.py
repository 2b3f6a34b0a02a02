"""The page about an API, in a real browser: it shows, tries calls, and fetches nothing else."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.api import Api
from tests.fakes.browser import PROGRAM, running_browser
from tests.fakes.embedded import RunningPlatform

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        PROGRAM is None, reason="no headless Chromium: deploy/dev/browser installs it"
    ),
]

CODE = """
def main(args):
    said = {"path": args["__ow_path"], "q": args.get("q"), "n": args.get("n")}
    said["own"] = args["__ow_headers"].get("x-own")
    return {"headers": {"X-Mine": "1"}, "body": said}
"""
HOSTILE = "</script><img src=http://127.0.0.1:1/ onerror=\"document.title='owned'\">"
TO = {"namespace": "guest", "package": "", "action": "shelf"}
TRY = """
(async () => {
  const form = [...document.forms].find(each => each.dataset.verb === VERB)
  form.closest('details').open = true
  const values = VALUES
  for (const name in values) form.querySelector(`[name="${name}"]`).value = values[name]
  form.querySelector('button').click()
  for (let tries = 0; tries < 500; tries++) {
    const shown = form.querySelector('output').innerText
    if (shown) return shown
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return 'nothing came'
})()
"""


def document(url: str) -> dict[str, object]:
    to = TO | {"url": f"{url}/api/v1/web/guest/default/shelf.http"}
    parameters = [
        {"name": "id", "in": "path", "required": True, "type": "string", "description": HOSTILE},
        {"name": "q", "in": "query", "type": "string"},
        {"name": "X-Own", "in": "header", "type": "string"},
    ]
    body = {"name": "book", "in": "body", "schema": {"type": "object"}}
    return {
        "swagger": "2.0",
        "info": {"title": f"Shelf {HOSTILE}", "version": "2", "description": HOSTILE},
        "basePath": "/shelf",
        "paths": {
            "/books/{id}": {
                "get": {
                    "operationId": "read", "x-openwhisk": to, "parameters": parameters,
                    "summary": HOSTILE, "responses": {"200": {"description": HOSTILE}},
                },
                "put": {
                    "operationId": "write", "x-openwhisk": to, "parameters": [*parameters, body],
                    "responses": {},
                },
            }
        },
    }  # fmt: skip


async def test_the_page_shows_an_api_and_tries_calls(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    api = Api(platform.url, platform.auth)
    api.put_action("shelf", CODE, annotations=[{"key": "web-export", "value": True}])
    apidoc = {"namespace": "_", "swagger": document(platform.url)}
    made = api.call("POST", "/api/v1/web/whisk.system/apimgmt/createApi.http", {"apidoc": apidoc})
    assert made.status == 200, made
    own = "/api/brisk/v1/namespaces/_/apis"
    key = api.call("POST", f"{own}/keys?api=/shelf", {}).body["key"]
    api.call("PUT", f"{own}/access?api=/shelf", {"showsDocs": True})
    async with running_browser(tmp_path) as browser:
        page = await browser.open(f"{made.body['gwApiUrl']}/_docs")
        assert (page.status, page.media_type) == (200, "text/html")
        assert await page.value("document.title") == f"Shelf {HOSTILE}"
        assert await page.value("document.images.length") == 0
        assert await page.value("document.scripts.length") == 1

        attempt = TRY.replace("VERB", "'GET'").replace("VALUES", "{id: 'a/b c', q: '1&2'}")
        assert (await page.value(attempt)).startswith("401")
        page.complaints.clear()  # the console notes what the server refused

        await page.value(f"document.getElementById('key').value = '{key}'")
        values = "{id: 'a/b c', q: '1&2', 'X-Own': 'mine'}"
        shown = await page.value(TRY.replace("VERB", "'GET'").replace("VALUES", values))
        assert shown.startswith("200")
        assert "x-mine: 1" in shown
        assert '"path": "/shelf/books/a/b c"' in shown
        assert '"q": "1&2"' in shown and '"own": "mine"' in shown

        values = "{id: '7', book: '{\"n\": 5}'}"
        shown = await page.value(TRY.replace("VERB", "'PUT'").replace("VALUES", values))
        assert '"n": 5' in shown
        assert page.hosts == {urlsplit(page.url).netloc}
        assert page.complaints == []
        assert await page.value("document.title") != "owned"
