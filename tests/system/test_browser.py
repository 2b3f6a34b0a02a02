"""What web actions serve, in a real browser: shown as meant, and nothing fetched elsewhere."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.tour import PAGE
from tests.fakes.api import Api
from tests.fakes.browser import PROGRAM, Page, running_browser
from tests.fakes.embedded import RunningPlatform

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        PROGRAM is None, reason="no headless Chromium: deploy/dev/browser installs it"
    ),
]

HTML = """
def main(args):
    return {"body": f"<!doctype html><title>{args['who']}</title><h1>Hello {args['who']}</h1>"
                    "<link rel=icon href='data:,'><script>document.title += '!'</script>"}
"""
SVG = """
def main(args):
    return {"svg": '<svg xmlns="http://www.w3.org/2000/svg"><circle r="7"/></svg>'}
"""
JSON = """
def main(args):
    return {"path": args["__ow_path"], "n": int(args["n"]) + 1}
"""
COUNTER = """
def main(args):
    seen = int(args["__ow_headers"].get("cookie", "n=0").removeprefix("n="))
    return {"headers": {"Set-Cookie": f"n={seen + 1}; Path=/"}, "body": f"<p id=n>{seen}</p>"
            "<link rel=icon href='data:,'>"}
"""


LEAKY = """
def main(args):
    return {"body": "<link rel=icon href='data:,'><img src='http://127.0.0.1:1/'><script>oh()</script>"}
"""


def is_quiet(page: Page) -> bool:
    """Tell whether *page* fetched from its own host alone, and nothing went wrong."""
    return not page.complaints and page.hosts == {urlsplit(page.url).netloc}


async def test_pages_pictures_and_data_are_shown(platform: RunningPlatform, tmp_path: Path) -> None:
    api = Api(platform.url, platform.auth)
    web = [{"key": "web-export", "value": True}]
    for name, code in {
        "demo": PAGE,
        "html": HTML,
        "svg": SVG,
        "data": JSON,
        "counter": COUNTER,
    }.items():
        api.put_action(name, code, annotations=web)
    at = f"{platform.url}/api/v1/web/guest/default"
    async with running_browser(tmp_path) as browser:
        page = await browser.open(f"{at}/html?who=World")
        assert await page.value("document.querySelector('h1').textContent") == "Hello World"
        assert (page.status, page.media_type) == (200, "text/html")
        assert await page.value("document.title") == "World!"
        assert is_quiet(page)

        shown = await browser.open(f"{at}/demo?name=World")
        assert await shown.value("document.querySelector('h1').textContent") == "Hello World"
        assert is_quiet(shown)

        picture = await browser.open(f"{at}/svg.svg")
        assert picture.media_type == "image/svg+xml"
        assert await picture.value("document.querySelector('circle').r.baseVal.value") == 7
        assert is_quiet(picture)

        fetched = await page.value(f"fetch('{at}/data.json/a/b?n=1').then(got => got.json())")
        assert fetched == {"path": "/a/b", "n": 2}
        data = await browser.open(f"{at}/data.json?n=1")
        assert data.media_type == "application/json"
        assert '"n": 2' in await data.value("document.body.innerText")

        for visits in range(3):
            counted = await browser.open(f"{at}/counter")
            assert await counted.value("document.getElementById('n').textContent") == str(visits)


async def test_a_page_that_breaks_and_fetches_elsewhere_is_noticed(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    web = [{"key": "web-export", "value": True}]
    Api(platform.url, platform.auth).put_action("leaky", LEAKY, annotations=web)
    async with running_browser(tmp_path) as browser:
        page = await browser.open(f"{platform.url}/api/v1/web/guest/default/leaky")
        assert "127.0.0.1:1" in page.hosts
        assert any("oh is not defined" in each for each in page.complaints)
        assert any("CONNECTION_REFUSED" in each or "UNSAFE" in each for each in page.complaints)
        assert not is_quiet(page)
