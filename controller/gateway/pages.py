"""Pages about APIs, kept for those that are read: each revision is written once."""

from collections import OrderedDict
from importlib import resources
from typing import Final

from common.entity.api import Api
from common.ids import DocId, Rev
from controller.gateway import page
from controller.gateway.page import Look

KEPT: Final = 64


class Pages:
    """Writes pages. One per controller."""

    def __init__(self) -> None:
        folder = resources.files("controller.gateway")
        style, script = (folder.joinpath(f"page.{end}").read_text("utf-8") for end in ("css", "js"))
        look = Look(style.strip(), script.strip())
        self._look = look
        self._written: OrderedDict[DocId, tuple[Rev, bytes]] = OrderedDict()
        self.headers: Final = {
            "Content-Type": "text/html; charset=UTF-8",
            "Content-Security-Policy": look.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }
        """What is sent along with each page."""

    def __repr__(self) -> str:
        return f"<Pages {len(self._written)} written>"

    def of(self, api: Api) -> bytes:
        """Return the page about *api*."""
        doc_id = api.name.doc_id
        rev, text = self._written.get(doc_id, (None, b""))
        if rev != api.rev:
            text = page.page(api, self._look).encode()
            self._written[doc_id] = (api.rev, text)
            if len(self._written) > KEPT:
                self._written.popitem(last=False)
        self._written.move_to_end(doc_id)
        return text
