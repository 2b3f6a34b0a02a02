"""The REST API, typed: one method for each call that a command makes.

Paths, query and bodies are those of OpenWhisk's own command line, so a server cannot tell them
apart. What comes back is JSON as it was sent; `cli/shapes.py` knows how it is shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from cli.failures import Failure, exit_code_of
from cli.jsontext import Json, NotJson, decode, encode
from cli.names import OWN, EntityName, Scope
from cli.remedies import remedy_for
from cli.transport import Answer, Transport

SAFE_IN_PATHS: Final = "$&+,:;=@~"
_REGISTRIES: Final = f"/api/brisk/v1/namespaces/{OWN}/registries"
_APIS: Final = f"/api/brisk/v1/namespaces/{OWN}/apis"
_EVENTS: Final = "text/event-stream"
_SUCCESS: Final = range(200, 300)
_OK: Final = 200
_ACCEPTED: Final = 202
_NOT_FOUND: Final = 404
_BAD_GATEWAY: Final = 502


@dataclass(frozen=True, slots=True)
class Invocation:
    """What came of invoking an action.

    value: the whole activation, its result, or `{"activationId"}`, as it was asked for.
    is_pending: the wait ended before the action did.
    has_failed: the action, and not the platform, reported an error.
    """

    activation_id: str
    value: Json
    is_pending: bool = False
    has_failed: bool = False


class Client:
    """The API of one host, below one version of it."""

    def __init__(self, transport: Transport, api_version: str) -> None:
        self._transport = transport
        self._root = f"/api/{api_version}"

    def api_info(self) -> Json:
        """Return the description of the API; needs no credentials."""
        return _value(self._transport.exchange("GET", self._root, authorised=False))

    def runtimes(self) -> Json:
        """Return the document of the kinds that the host runs, None where it shows none."""
        answer = self._transport.exchange("GET", "/", authorised=False)
        try:
            return decode(answer.body) if answer.status in _SUCCESS else None
        except NotJson:
            return None

    def namespaces(self) -> list[str]:
        """Return the namespaces that the key opens."""
        return [str(name) for name in self._list(f"{self._root}/namespaces", {})]

    def entities(self, collection: str, scope: Scope, limit: int, skip: int) -> list[Json]:
        """Return one page of the actions, packages, triggers or rules in *scope*."""
        path = f"{self._of(scope.namespace)}/{collection}"
        if scope.package is not None:
            path += f"/{_escape(scope.package)}/"
        return self._list(path, {"limit": limit, "skip": skip})

    def entity(self, collection: str, name: EntityName) -> dict[str, Json]:
        """Return one trigger, rule or package."""
        with _missing(collection, name):
            return self._object(self._entity(collection, name))

    def put(
        self, collection: str, name: EntityName, document: Json, *, overwrite: bool
    ) -> dict[str, Json]:
        """Create an entity, or merge *document* into the one that is there; return it."""
        target = _target(self._entity(collection, name), {"overwrite": overwrite})
        value = _value(self._transport.exchange("PUT", target, encode(document)))
        return value if isinstance(value, dict) else {}

    def delete(self, collection: str, name: EntityName, *, force: bool = False) -> None:
        """Delete an entity; with *force* also a package that is not empty."""
        target = _target(self._entity(collection, name), {"force": True} if force else {})
        with _missing(collection, name):
            _check(self._transport.exchange("DELETE", target))

    def fire(self, name: EntityName, payload: Json) -> str:
        """Fire a trigger; return the id of its activation, empty where no rule is active."""
        with _missing("triggers", name):
            target = self._entity("triggers", name)
            value = _value(self._transport.exchange("POST", target, encode(payload)))
        return str(value.get("activationId") or "") if isinstance(value, dict) else ""

    def set_rule_status(self, name: EntityName, status: str) -> None:
        """Make a rule `active` or `inactive`."""
        body = encode({"status": status, "trigger": None, "action": None})
        with _missing("rules", name):
            _check(self._transport.exchange("POST", self._entity("rules", name), body))

    def refresh_packages(self, namespace: str) -> dict[str, Json]:
        """Have the server look for the bindings of *namespace* anew; return what it did."""
        path = f"{self._of(namespace)}/packages/refresh"
        value = _value(self._transport.exchange("POST", path))
        return value if isinstance(value, dict) else {}

    def action(self, name: EntityName, *, code: bool) -> dict[str, Json]:
        """Return an action, with its code or without."""
        with _missing("actions", name):
            return self._object(self._entity("actions", name), {"code": code})

    def invoke(
        self, name: EntityName, payload: Json, *, blocking: bool, result: bool
    ) -> Invocation:
        """Invoke an action, and wait for it when *blocking*."""
        target = _target(self._entity("actions", name), {"blocking": blocking, "result": result})
        answer = self._transport.exchange("POST", target, encode(payload))
        activation_id = answer.headers.get("x-openwhisk-activation-id", "")
        failed = answer.status == _BAD_GATEWAY and not _is_platform_error(answer)
        if not failed:
            with _missing("actions", name):
                _check(answer)
        value = _decoded(answer)
        if isinstance(value, dict):
            activation_id = str(value.get("activationId") or activation_id)
        pending = blocking and answer.status == _ACCEPTED
        return Invocation(activation_id, value, pending, failed)

    def activations(self, query: Mapping[str, int | str | bool]) -> list[dict[str, Json]]:
        """Return one page of the caller's activations, the newest first."""
        return self._list(f"{self._of(OWN)}/activations", query)

    @contextmanager
    def following(
        self, query: Mapping[str, int | str | bool], last_seen: str, silence_s: float
    ) -> Iterator[Iterable[bytes] | None]:
        """Yield the stream of the caller's activations, None where the server offers none.

        last_seen: what of an earlier stream came last; empty where there was none.
        silence_s: how long nothing may come.
        Raises `Failure` where nothing comes, also while it is read.
        """
        headers = {"Accept": _EVENTS} | ({"Last-Event-ID": last_seen} if last_seen else {})
        target = _target(f"/api/brisk/v1/namespaces/{OWN}/activations/stream", query)
        with self._transport.streamed(target, headers, silence_s) as (head, lines):
            kind = head.headers.get("content-type", "").partition(";")[0].strip()
            yield lines if (head.status, kind) == (_OK, _EVENTS) else None

    def activation(self, activation_id: str) -> dict[str, Json]:
        """Return the record of an activation."""
        return self._object(self._activation(activation_id))

    def activation_logs(self, activation_id: str) -> list[str]:
        """Return the log lines of an activation."""
        logs = self._object(f"{self._activation(activation_id)}/logs").get("logs")
        return [str(line) for line in logs or []]

    def activation_result(self, activation_id: str) -> Json:
        """Return the result of an activation."""
        return self._object(f"{self._activation(activation_id)}/result").get("result")

    def usage(self, namespace: str, query: Mapping[str, str]) -> dict[str, Json]:
        """Return what a namespace used; Brisk's own route, not OpenWhisk's."""
        return self._object(f"/api/brisk/v1/namespaces/{_escape(namespace)}/usage", query)

    def charges(self, namespace: str, query: Mapping[str, str]) -> dict[str, Json]:
        """Return what a namespace used as charges of FOCUS: names of columns, and rows."""
        return self._object(f"/api/brisk/v1/namespaces/{_escape(namespace)}/usage/focus", query)

    def verify_usage(self, namespace: str) -> dict[str, Json]:
        """Return what a namespace is billed for beside what its records come to."""
        return self._object(f"/api/brisk/v1/namespaces/{_escape(namespace)}/usage/verify", {})

    def create_api(
        self, apidoc: Mapping[str, Json], query: Mapping[str, str], response_type: str
    ) -> Json:
        """Make an API, or an operation of one; return the whole of it."""
        return self._manage_apis(
            "POST", "createApi", {**query, "responsetype": response_type}, {"apidoc": apidoc}
        )

    def apis(self, query: Mapping[str, int | str | bool]) -> list[dict[str, Json]]:
        """Return the APIs that *query* asks for."""
        value = self._manage_apis("GET", "getApi", query)
        found = value.get("apis") if isinstance(value, dict) else None
        return found if isinstance(found, list) else []

    def delete_api(self, query: Mapping[str, int | str | bool]) -> None:
        """Delete an API, or the part of it that *query* names."""
        self._manage_apis("DELETE", "deleteApi", query)

    def described_apis(self, name: str) -> list[dict[str, Json]]:
        """Return what is asked of callers of the API *name*; Brisk's own route."""
        return self._list(_APIS, {"api": name})

    def put_api_access(self, name: str, access: Json) -> dict[str, Json]:
        """Change what is asked of callers of the API *name*, and return all of it."""
        target = _target(f"{_APIS}/access", {"api": name})
        return dict(_value(self._transport.exchange("PUT", target, encode(access))))

    def make_api_key(self, name: str, described: Json) -> dict[str, Json]:
        """Make a key for the API *name*, and return it."""
        target = _target(f"{_APIS}/keys", {"api": name})
        return dict(_value(self._transport.exchange("POST", target, encode(described))))

    def revoke_api_key(self, name: str, key_id: str) -> None:
        """Take a key of the API *name* away."""
        target = _target(f"{_APIS}/keys/{_escape(key_id)}", {"api": name})
        _check(self._transport.exchange("DELETE", target))

    def _manage_apis(
        self,
        method: str,
        action: str,
        query: Mapping[str, int | str | bool],
        body: Json = None,
    ) -> Json:
        target = _target(f"{self._root}/web/whisk.system/apimgmt/{action}.http", query)
        sent = None if body is None else encode(body)
        return _value(self._transport.exchange(method, target, sent))

    def registries(self) -> list[dict[str, Json]]:
        """Return the registries that the namespace has credentials for; Brisk's own route."""
        return self._list(_REGISTRIES, {})

    def put_registry(self, host: str, username: str, password: str) -> None:
        """Keep credentials for a registry."""
        body = encode({"username": username, "password": password})
        _check(self._transport.exchange("PUT", f"{_REGISTRIES}/{_escape(host)}", body))

    def delete_registry(self, host: str) -> None:
        """Forget the credentials for a registry."""
        _check(self._transport.exchange("DELETE", f"{_REGISTRIES}/{_escape(host)}"))

    def _of(self, namespace: str) -> str:
        return f"{self._root}/namespaces/{_escape(namespace)}"

    def _entity(self, collection: str, name: EntityName) -> str:
        return f"{self._of(name.namespace)}/{collection}/{_escape(name.in_namespace)}"

    def _activation(self, activation_id: str) -> str:
        return f"{self._of(OWN)}/activations/{_escape(activation_id)}"

    def _get(self, path: str, query: Mapping[str, int | str | bool] | None = None) -> Json:
        return _value(self._transport.exchange("GET", _target(path, query or {})))

    def _object(
        self, path: str, query: Mapping[str, int | str | bool] | None = None
    ) -> dict[str, Json]:
        value = self._get(path, query)
        if not isinstance(value, dict):
            raise Failure(f"The answer of {path} is not a JSON object")
        return value

    def _list(self, path: str, query: Mapping[str, int | str | bool]) -> list[Json]:
        value = self._get(path, query)
        if not isinstance(value, list):
            raise Failure(f"The answer of {path} is not a JSON array")
        return value


@contextmanager
def _missing(collection: str, name: EntityName) -> Iterator[None]:
    """Have a failure tell which entity it was that is not there."""
    try:
        yield
    except Failure as failure:
        if failure.status == _NOT_FOUND:
            failure.missing = (collection, name)
        raise


def _escape(name: str) -> str:
    return quote(name, safe=SAFE_IN_PATHS + "/", errors="replace")


def _target(path: str, query: Mapping[str, int | str | bool]) -> str:
    if not query:
        return path
    texts = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in sorted(query.items())
    }
    return f"{path}?{urlencode(texts)}"


def _value(answer: Answer) -> Json:
    _check(answer)
    return _decoded(answer)


def _decoded(answer: Answer) -> Json:
    try:
        return decode(answer.body) if answer.body else None
    except NotJson as error:
        raise Failure(f"The answer of the API host is not JSON: {error}") from error


def _check(answer: Answer) -> None:
    """Raise `Failure` with the words of an answer that refuses."""
    if answer.status in _SUCCESS:
        return
    text = f"The connection failed, or timed out. (HTTP status code {answer.status})"
    with suppress(NotJson):  # Of a proxy's page, or of nothing, the status is all there is to tell.
        match decode(answer.body):
            case {"error": str(error), "code": code} if error and code is not None:
                text = f"{error} (code {code})"
            case {"error": str(error)} if error and answer.status == _BAD_GATEWAY:
                text = error  # An action's own, as those are that manage APIs.
            case _:
                pass  # It has not said what is wrong.
    raise Failure(
        text,
        exit_code_of(answer.status),
        remedy=remedy_for(answer.status, text, answer.headers),
        status=answer.status,
    )


def _is_platform_error(answer: Answer) -> bool:
    """Tell a 502 of the platform, or of a proxy, from the error of an action.

    Where an action ran, there is an activation, and the answer names it.
    """
    if "x-openwhisk-activation-id" in answer.headers:
        return False
    try:
        value = decode(answer.body)
    except NotJson:
        return True
    return not isinstance(value, dict) or value.keys() == {"error", "code"}
