"""Requests made from our description of the API are answered as it says, whatever they hold.

Schemathesis makes them, the same in each run: some as they are described, some with parts that are
not. Names are few, so that many of them are there. An answer has a status that is described, and
its body is as the schema has it; of the platform's own faults there is none.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from controller.api.openapi import document
from docs.surface import declared
from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform

REQUESTS: Final = 14
"""To each operation as it is described, and as many as it is not."""
NAMES: Final = {
    "namespace": ("_", "guest", "other"),
    "name": ("echo", "new", "fails", "line", "tick", "rule", "p", "b", "nosuch"),
    "package": ("p", "b", "nosuch", "default"),
    "registry": ("registry.example", "nosuch"),
    "tenant": ("guest",),
    "key": ("k",),
}
OF_THE_WEB: Final = {
    "namespace": ("guest",),
    "package": ("default", "p", "b"),
    "name": ("echo", "echo.json", "echo.http", "fails.text", "nosuch"),
}
OF_GATEWAYS: Final = {"name": ("getApi.http", "createApi", "deleteApi.http", "nosuch")}
ENDLESS: Final = "/api/brisk/v1/namespaces/{namespace}/activations/stream"
LOOKED_AT: Final = [
    status_code_conformance, response_schema_conformance, content_type_conformance,
]  # fmt: skip
MOSTLY: Final = st.integers(0, 11).map(lambda drawn: drawn < 11)
FAILED: Final = 502
"""The one status from 500 on: of an invocation whose code fails."""

SCHEMA: Final = schemathesis.openapi.from_dict(document(declared()))
OPERATIONS: Final = [
    each
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok) and (each := found.ok()).path != ENDLESS
]


WEB: Final = [{"key": "web-export", "value": True}]
ECHO: Final = {"kind": "python:default", "code": "def main(args): return args"}
FAILS: Final = {"kind": "python:default", "code": "def main(args): return {'error': args}"}
THERE: Final[dict[str, Any]] = {
    "packages/p": {},
    "packages/b": {"binding": {"namespace": "_", "name": "p"}},
    "actions/echo": {"exec": ECHO, "annotations": WEB},
    "actions/fails": {"exec": FAILS, "annotations": WEB},
    "actions/p/echo": {"exec": ECHO, "annotations": WEB},
    "actions/line": {"exec": {"kind": "sequence", "components": ["/_/echo"]}},
    "triggers/tick": {},
    "rules/rule": {"trigger": "/_/tick", "action": "/_/echo"},
}


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    made = Api(platform.url, platform.auth)
    for path, body in THERE.items():
        assert made.call("PUT", path, body).status == 200
    assert made.invoke("echo", {}).status == 200
    return made


@pytest.fixture
def full(api: Api) -> Api:
    """A client of a platform that has something of every kind, whatever was asked before."""
    for path, body in THERE.items():
        api.call("PUT", f"{path}?overwrite=true", body)
    return api


def names_in(path: str) -> Mapping[str, tuple[str, ...]]:
    """Return names that may stand in *path*, by variable."""
    if path.startswith("/api/v1/web/whisk.system/"):
        return OF_GATEWAYS
    return OF_THE_WEB if path.startswith("/api/v1/web/") else NAMES


def modes(operation: APIOperation[Any, Any, Any, Any]) -> Iterator[GenerationMode]:
    yield GenerationMode.POSITIVE
    if list(operation.query) or list(operation.body):  # any text may be a name
        yield GenerationMode.NEGATIVE


CASES: Final = [(operation, mode) for operation in OPERATIONS for mode in modes(operation)]


@pytest.mark.parametrize(
    ("operation", "mode"),
    [pytest.param(*case, id=f"{case[0].label}-{case[1].value}") for case in CASES],
)
def test_an_answer_is_one_that_is_described(
    full: Api, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode
) -> None:
    ids = tuple(each["activationId"] for each in full.call("GET", "activations?limit=3").body)

    @settings(
        max_examples=REQUESTS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def asked(case: Any, data: Any) -> None:
        for variable in case.path_parameters or {}:
            known = names_in(operation.path).get(variable, (*ids, "0" * 32))
            if data.draw(MOSTLY):
                case.path_parameters[variable] = data.draw(st.sampled_from(known))
        case.headers = {"Authorization": full.authorization} if data.draw(MOSTLY) else {}
        answer = case.call(base_url=full.url, timeout=30)
        assert answer.status_code < 500 or answer.status_code == FAILED, answer.text
        case.validate_response(answer, checks=LOOKED_AT)

    asked()


def test_every_address_is_asked_but_one_that_does_not_end() -> None:
    assert len(OPERATIONS) == len(declared()) - 1
