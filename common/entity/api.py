"""An API: addresses below one base path, each of which leads to a web action.

What it consists of is a document of Swagger 2.0, kept as it was given. It belongs to a *tenant*,
the uuid of the key that made it, which is a part of its address. Who may call it is written beside
the document, so that importing the document anew lets nobody in.

Of its keys only a hash is kept. They are random, so that a plain hash is enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from common.entity.action import Json
from common.entity.names import QualifiedName
from common.ids import Namespace, Rev

ENTITY_TYPE: Final = "api"
ROOT: Final = Namespace("~apis")
"""In place of a namespace, in the ids of documents; no namespace can be called so."""
KEY_HEADER: Final = "X-API-Key"
"""Which header carries the key of a caller, unless an API says otherwise."""


class NotAnApi(ValueError):
    """The document does not hold what an API needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of one key."""

    key_id: str
    """Its first characters, by which its owner knows it. They open nothing."""
    label: str
    """For people."""
    digest: str
    """SHA-256 of the key, in hexadecimal digits."""
    per_minute: int | None = None
    """Calls in any 60 seconds. None is what the API says."""
    created_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call an API, and how often."""

    needs_key: bool = False
    header: str = KEY_HEADER
    per_minute: int | None = None
    """Calls in any 60 seconds: of each key, or of everybody together where none is needed."""
    shows_docs: bool | None = None
    """Whether its page of documentation is shown. None is: if no key is needed."""


OPEN: Final = Access()


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One revision of an API."""

    tenant: str
    namespace: Namespace
    """Whose it is."""
    base_path: str
    """As `controller.gateway.paths` writes it: no slash at its end, but where it is the root."""
    document: Mapping[str, Json]
    access: Access = OPEN
    keys: tuple[ApiKey, ...] = ()
    updated_ms: int = 0
    rev: Rev = Rev("")

    @property
    def name(self) -> QualifiedName:
        """Where it is stored: a tenant has one API at a base path."""
        return api_name(self.tenant, self.base_path)

    @property
    def title(self) -> str:
        """What people call it."""
        return str(self.document["info"]["title"])

    @property
    def shows_docs(self) -> bool:
        """Whether anybody may read its page of documentation."""
        shown = self.access.shows_docs
        return not self.access.needs_key if shown is None else shown


def api_name(tenant: str, base_path: str) -> QualifiedName:
    """Return the name under which the API of *tenant* at *base_path* is stored."""
    return QualifiedName(ROOT, tenant, sha256(base_path.encode()).hexdigest()[:32])


def digest_of(key: str) -> str:
    """Return what is kept of *key*."""
    return sha256(key.encode()).hexdigest()


def to_document(api: Api) -> dict[str, Json]:
    """Return what is stored."""
    return {
        "entityType": ENTITY_TYPE,
        "namespace": api.name.path,
        "name": api.name.name,
        "owner": api.namespace,
        "basePath": api.base_path,
        "document": dict(api.document),
        "access": {
            "needsKey": api.access.needs_key,
            "header": api.access.header,
            "perMinute": api.access.per_minute,
            "showsDocs": api.access.shows_docs,
        },
        "keys": [
            {
                "id": key.key_id,
                "label": key.label,
                "digest": key.digest,
                "perMinute": key.per_minute,
                "created": key.created_ms,
            }
            for key in api.keys
        ],
        "updated": api.updated_ms,
    }


def from_document(body: Mapping[str, Any], rev: Rev) -> Api:
    """Return the API that is stored as *body*. Raises `NotAnApi`."""
    try:
        access = body["access"]
        return Api(
            tenant=body["namespace"].partition("/")[2],
            namespace=Namespace(body["owner"]),
            base_path=body["basePath"],
            document=body["document"],
            access=Access(
                needs_key=access["needsKey"],
                header=access["header"],
                per_minute=access["perMinute"],
                shows_docs=access["showsDocs"],
            ),
            keys=tuple(
                ApiKey(
                    key_id=key["id"],
                    label=key["label"],
                    digest=key["digest"],
                    per_minute=key["perMinute"],
                    created_ms=key["created"],
                )
                for key in body["keys"]
            ),
            updated_ms=body["updated"],
            rev=rev,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise NotAnApi(f"{type(error).__name__}: {error}") from error


def to_list_item(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a list shows of the stored document *body*: how many keys, and none of them."""
    keys = len(body["keys"])
    return {
        "basePath": body["basePath"],
        "title": body["document"]["info"]["title"],
        "access": body["access"],
        "keys": keys,
        "updated": body["updated"],
    }
