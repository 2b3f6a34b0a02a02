"""Whatever comes as a document is refused in words, or can be served, shown and changed."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.entity.api import Api, from_document, to_document
from common.entity.names import QualifiedName
from common.errors import ApiRefused
from common.ids import Namespace, Rev
from controller.gateway import document, openapi, paths
from controller.gateway.description import public
from controller.gateway.page import Look, page
from controller.gateway.routing import Routes
from controller.gateway.validation import Bounds, require_bounded, require_valid
from tests.unit.controller.gateway.documents import URL

BOUNDS = Bounds(1 << 20)
WORDS = st.sampled_from(
    [
        "get", "put", "parameters", "$ref", "x-openwhisk", "url", "operationId", "name", "in",
        "path", "query", "body", "schema", "type", "responses", "description", "summary",
        "operations", "execute", "invoke", "target-url", "set-variable", "actions", "set", "value",
        "operation-switch", "case", "assembly", "cors", "enabled", "content", "requestBody",
        "application/json", "properties", "items", "consumes", "enum", "required", "deprecated",
        "default", "200", "verb", "x", "/a", "/{x}", "schemas", "responses", "title", "version",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    WORDS,
    st.text(max_size=8),
    st.sampled_from([URL, URL + "$(request.path)", "#/definitions/A", "#/x", "#/paths/~1a", "/{"]),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(0, 1), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(WORDS, TEXTS), inner, max_size=4)
    ),
    max_leaves=12,
)
PATHS = st.one_of(
    st.sampled_from(["/", "/a", "/a/", "/{x}", "/{x}/b", "/a/{y}.json", "a", "/{", "/a b"]),
    st.text(max_size=6),
)
OPERATIONS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "operationId": TEXTS,
            "parameters": VALUES,
            "responses": VALUES,
            "requestBody": VALUES,
            "x-openwhisk": st.one_of(VALUES, st.fixed_dictionaries({"url": TEXTS})),
            "summary": VALUES,
            "description": VALUES,
        },
    ),
)
ITEMS = st.one_of(
    VALUES,
    st.dictionaries(
        st.sampled_from([*document.VERBS, "parameters", "x-a"]), OPERATIONS, max_size=3
    ),
)
CONFIGURATIONS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"assembly": st.fixed_dictionaries({"execute": st.lists(VALUES, max_size=2)})}
    ),
    st.builds(
        lambda cases: {"assembly": {"execute": [{"operation-switch": {"case": cases}}]}},
        st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "operations": st.one_of(VALUES, st.lists(TEXTS, max_size=2)),
                    "execute": st.one_of(
                        VALUES,
                        st.lists(
                            st.dictionaries(
                                st.sampled_from(["invoke", "set-variable"]), VALUES, max_size=2
                            ),
                            max_size=2,
                        ),
                    ),
                },
            ),
            max_size=2,
        ),
    ),
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "info": st.one_of(st.just({"title": "t"}), VALUES),
        "paths": st.dictionaries(PATHS, ITEMS, max_size=4),
    },
    optional={
        "swagger": st.one_of(st.just("2.0"), VALUES),
        "openapi": st.one_of(st.just("3.0.0"), VALUES),
        "basePath": st.one_of(st.just("/base"), VALUES),
        "servers": VALUES,
        "definitions": VALUES,
        "components": VALUES,
        "x-ibm-configuration": CONFIGURATIONS,
    },
)
NEARLY_GOOD = st.fixed_dictionaries(
    {
        "swagger": st.just("2.0"),
        "info": st.fixed_dictionaries({"title": st.just("t")}, optional={"version": VALUES}),
        "basePath": st.just("/b"),
        "paths": st.dictionaries(
            st.sampled_from(["/", "/a", "/{x}/b", "/c/d", "/e.json"]),
            st.dictionaries(st.sampled_from(document.VERBS), OPERATIONS, max_size=2),
            max_size=3,
        ),
    },
    optional={"definitions": VALUES, "x-ibm-configuration": CONFIGURATIONS},
)


def accepted(given: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is served, or None for what is refused."""
    try:
        require_bounded(given, BOUNDS)
        if openapi.is_openapi(given):
            given = openapi.swagger_of(given)
        require_valid(given)
    except ApiRefused as refused:
        assert str(refused)
        return None
    return given


@given(
    st.one_of(DOCUMENTS, DOCUMENTS.map(lambda each: each | {"swagger": "2.0", "basePath": "/b"}))
)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_document_is_refused_or_can_be_used(document_given: dict[str, Any]) -> None:
    served = accepted(document_given)
    if served is None:
        return
    base = paths.base_path(served["basePath"])
    api = Api(tenant="t", namespace=Namespace("guest"), base_path=base, document=served)
    assert from_document(to_document(api), Rev("")) == api
    routes = Routes(served)
    for each in document.operations(served):
        segments = paths.asked_segments(each.path.replace("{", "").replace("}", ""))
        leaf = routes.find(segments)
        assert leaf is not None, each.path
        assert each.verb in leaf.operations or leaf.template.text != each.path
    assert page(api, Look("", "")).endswith("</html>")
    assert public(api, "http://h/b")["basePath"] == "/b"
    endpoint = document.Endpoint(
        base_path=base,
        path="/new/path",
        verb="get",
        action=QualifiedName(Namespace("guest"), None, "echo"),
        address=URL,
    )
    more = document.with_endpoint(served, endpoint)
    require_valid(more)
    assert document.without(more, "/new/path", "get")["paths"] == served["paths"]
    for path in served["paths"]:
        assert path not in document.without(served, path, None)["paths"]


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_any_value_in_place_of_a_document_is_refused(value: Any) -> None:
    if isinstance(value, dict):
        accepted(value)
