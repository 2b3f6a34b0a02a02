"""Where callers reach an API. Pure."""

from typing import Final

from common.entity.api import Api

PREFIX: Final = "/gw/api"
"""Below it every API is served, on the port of the REST API: `/gw/api/TENANT/BASE/PATH`."""
ROOT: Final = "/gw"


def url_of(api: Api, *, public: str, asked: str) -> str:
    """Return the address that the paths of *api* follow.

    public: where an operator says that the gateway is; empty where none does.
    asked: the host that a client has asked, with its scheme.
    """
    root = public.rstrip("/") or f"{asked}{ROOT}"
    return f"{root}/api/{api.tenant}{'' if api.base_path == '/' else api.base_path}"
