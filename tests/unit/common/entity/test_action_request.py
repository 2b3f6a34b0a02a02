"""What a `PUT` may say of an action, which complaint comes first, and what the action becomes."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.entity.action import Action, Exec, Parameter
from common.entity.action_request import (
    ActionChange,
    SizeBounds,
    created,
    next_version,
    read_change,
    read_version,
    updated,
)
from common.entity.exec_request import looks_binary, normal_image
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.errors import BriskError, EntityTooBig, ExecMissing, MalformedContent
from common.ids import Namespace


@dataclass(frozen=True)
class Runtime:
    kind: str
    deprecated: bool = False
    require_main: bool = False
    attached: bool = True


class Kinds:
    def resolve(self, kind: str) -> Runtime | None:
        return {
            "python:default": Runtime("python:3.11"),
            "python:3.11": Runtime("python:3.11"),
            "java:8": Runtime("java:8", require_main=True),
            "inline:1": Runtime("inline:1", attached=False),
        }.get(kind)

    def valid_kinds(self) -> tuple[str, ...]:
        return ("python:3.11", "java:8")


NAME = QualifiedName(Namespace("guest"), None, "hello")
SIZES = SizeBounds(code_bytes=1000, parameters_bytes=100)
CODE = {"kind": "python:default", "code": "def main(args):\n    return {}\n"}


def change(body: Any) -> ActionChange:
    return read_change(body, Kinds(), SIZES, "guest")


def action(body: Any) -> Action:
    return created(NAME, change({"exec": CODE} | body), updated_ms=1)


FQN = (
    "requirement failed: The fully qualified name of the entity must contain at least the "
    "namespace and the name of the entity."
)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ([], "Object expected in field 'exec'"),
        ("x", "Object expected in field 'exec'"),
        ({"exec": "x"}, "JSON object expected"),
        ({"exec": {}}, "'kind' must be a string defined in 'exec'"),
        ({"exec": {"kind": 1}}, "'kind' must be a string defined in 'exec'"),
        (
            {"exec": {"kind": "nosuch:1", "code": "x"}},
            "The specified runtime 'nosuch:1' is not supported by this platform. "
            "Valid values are: 'python:3.11', 'java:8', 'sequence', 'blackbox'.",
        ),
        (
            {"exec": {"kind": "python:default"}},
            "'code' must be a string or attachment object defined in 'exec' for 'python:default' "
            "actions",
        ),
        (
            {"exec": {"kind": "inline:1", "code": 1}},
            "'code' must be a string defined in 'exec' for 'inline:1' actions",
        ),
        (
            {"exec": CODE | {"main": 1}},
            "if defined, 'main' be a string in 'exec' for 'python:default' actions",
        ),
        (
            {"exec": {"kind": "java:8", "code": "x"}},
            "'main' must be a string defined in 'exec' for 'java:8' actions",
        ),
        (
            {"exec": {"kind": "sequence"}},
            "'components' must be defined for sequence kind",
        ),
        ({"exec": {"kind": "sequence", "components": "x"}}, "'components' must be an array"),
        ({"exec": {"kind": "sequence", "components": ["nosuch"]}}, FQN),
        ({"exec": {"kind": "sequence", "components": ["/"]}}, "fully qualified name malformed"),
        ({"exec": {"kind": "sequence", "components": [1]}}, "fully qualified name malformed"),
        (
            {"exec": {"kind": "blackbox"}},
            "'image' must be a string defined in 'exec' for 'blackbox' actions",
        ),
        ({"exec": {"kind": "blackbox", "image": "BAD IMAGE"}}, "could not parse image name"),
        (
            {"exec": {"kind": "blackbox", "image": "x", "code": 1}},
            "'code' must be a string or attachment object defined in 'exec' for 'blackbox' actions",
        ),
        ({"parameters": {}}, "parameters malformed!"),
        ({"parameters": [{"key": "a"}]}, "parameters malformed!"),
        ({"parameters": [{"value": "a"}]}, "parameters malformed!"),
        ({"parameters": [{"key": 1, "value": "a"}]}, "parameters malformed!"),
        ({"parameters": [{"key": "a", "value": 1, "init": 1}]}, "parameters malformed!"),
        ({"parameters": [{"key": "a", "value": 1, "encryption": 1}]}, "parameters malformed!"),
        ({"annotations": "x"}, "parameters malformed!"),
        ({"limits": 3}, "'limits' must be an object"),
        ({"limits": {"timeout": "x"}}, "time limit malformed"),
        ({"limits": {"timeout": True}}, "time limit malformed"),
        ({"limits": {"memory": "x"}}, "memory limit malformed"),
        ({"limits": {"logs": []}}, "log limit malformed"),
        ({"limits": {"concurrency": "x"}}, "concurrency limit malformed"),
        ({"limits": {"timeout": 1.5}}, "requirement failed: time limit must be whole number"),
        ({"limits": {"memory": 1.5}}, "requirement failed: memory limit must be whole number"),
        ({"limits": {"logs": 1.5}}, "requirement failed: log limit must be whole number"),
        (
            {"limits": {"logs": -1}},
            "requirement failed: a negative size of an object is not allowed.",
        ),
        (
            {"limits": {"instances": -1}},
            "requirement failed: Action container concurrency must be greater than or equal to 0.",
        ),
        ({"version": "bad"}, "semantic version malformed"),
        ({"version": 1}, "semantic version malformed"),
        ({"publish": "x"}, "'publish' must be true or false"),
        ({"delAnnotations": "x"}, "'delAnnotations' must be an array of strings"),
    ],
)
def test_a_malformed_body_is_refused_in_the_words_of_the_contract(body: Any, detail: str) -> None:
    with pytest.raises(MalformedContent) as refused:
        change(body)
    assert str(refused.value) == f"The request content was malformed:\n{detail}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"exec": CODE | {"code": "#" * 1001}},
            "exec larger than allowed: 1001 > 1000 bytes.",
        ),
        (
            {"parameters": [{"key": "ä", "value": "x" * 97}]},
            "parameters larger than allowed: 101 > 100 bytes.",
        ),
        (
            {"annotations": [{"key": "a", "value": "x" * 98}]},
            "annotations larger than allowed: 101 > 100 bytes.",
        ),
    ],
)
def test_what_is_too_big_is_refused_before_the_rest_is_read(body: Any, text: str) -> None:
    with pytest.raises(EntityTooBig) as refused:
        change(body | {"version": "bad"})
    assert str(refused.value) == text


def test_the_code_is_weighed_before_the_parameters_and_those_before_the_annotations() -> None:
    big = [{"key": "a", "value": "x" * 100}]
    everything: dict[str, Any] = {
        "exec": CODE | {"code": "#" * 1001},
        "parameters": big,
        "annotations": big,
    }
    fields = []
    for field in list(everything):
        with pytest.raises(EntityTooBig) as refused:
            change(everything)
        fields.append(str(refused.value).split()[0])
        everything.pop(field)
    assert fields == ["exec", "parameters", "annotations"]


def test_a_malformed_parameter_is_found_before_the_code_is_weighed() -> None:
    with pytest.raises(MalformedContent):
        change({"exec": CODE | {"code": "#" * 1001}, "parameters": {}})


def test_an_action_needs_code_to_come_into_being() -> None:
    for body in ({}, {"exec": None}):
        with pytest.raises(ExecMissing) as refused:
            created(NAME, change(body), updated_ms=1)
        assert str(refused.value) == "exec undefined"


def test_a_new_action_has_defaults_and_the_annotations_of_the_system() -> None:
    made = created(NAME, change({"exec": CODE}), updated_ms=7)

    assert made.exec.kind == "python:3.11"
    assert made.annotations == {"provide-api-key": False, "exec": "python:3.11"}
    assert (made.version, made.publish, made.limits, made.updated_ms) == (
        "0.0.1",
        False,
        Limits(),
        7,
    )


def test_the_annotation_for_the_api_key_is_the_users_if_he_gave_one() -> None:
    given_by_user = [
        {"key": "provide-api-key", "value": "yes"},
        {"key": "exec", "value": "mine"},
    ]
    made = action({"annotations": given_by_user})
    assert made.annotations == {"provide-api-key": "yes", "exec": "python:3.11"}


def test_of_equal_parameters_the_last_one_wins_and_init_is_kept() -> None:
    parameters = [
        {"key": "a", "value": 1},
        {"key": "a", "value": 2, "init": True, "extra": 1},
    ]
    assert action({"parameters": parameters}).parameters == (Parameter("a", 2, True),)


def test_an_update_that_says_nothing_only_grows_the_version() -> None:
    stored = action({"parameters": [{"key": "a", "value": 1}], "publish": True})
    assert updated(stored, change({}), updated_ms=2) == replace(
        stored, version="0.0.2", updated_ms=2
    )


def test_an_update_merges_annotations_and_replaces_parameters() -> None:
    stored = action(
        {
            "annotations": [{"key": "old", "value": 1}, {"key": "gone", "value": 1}],
            "parameters": [{"key": "a", "value": 1}],
        }
    )
    body = {
        "annotations": [{"key": "new", "value": 2}],
        "delAnnotations": ["gone"],
        "parameters": [{"key": "b", "value": 2}],
    }
    after = updated(stored, change(body), updated_ms=2)

    assert after.annotations == {
        "old": 1,
        "new": 2,
        "provide-api-key": False,
        "exec": "python:3.11",
    }
    assert after.parameters == (Parameter("b", 2),)


def test_an_update_never_adds_the_annotation_for_the_api_key() -> None:
    stored = replace(action({}), annotations={})
    assert updated(stored, change({}), updated_ms=2).annotations == {"exec": "python:3.11"}


def test_limits_change_one_by_one() -> None:
    stored = action({"limits": {"memory": 128}})
    after = updated(stored, change({"limits": {"timeout": 5000.0}}), updated_ms=2)
    assert after.limits == Limits(memory_mb=128, timeout_ms=5000)


def test_a_version_that_is_given_is_kept_as_it_is() -> None:
    assert action({"version": "9.9"}).version == "9.9.0"
    assert updated(action({}), change({"version": "01.2.3"}), updated_ms=2).version == "1.2.3"


def test_a_sequence_shows_its_components_as_a_parameter_and_loses_them_with_its_kind() -> None:
    body = {
        "exec": {"kind": "sequence", "components": ["/_/a", {"path": "ns/p", "name": "b"}]},
        "parameters": [{"key": "lost", "value": 1}],
        "delAnnotations": ["kept"],
    }
    code = action({"annotations": [{"key": "kept", "value": 1}]})
    sequence = updated(code, change(body), updated_ms=2)

    assert sequence.exec == Exec(kind="sequence", components=("/guest/a", "/ns/p/b"))
    assert sequence.parameters == (Parameter("_actions", ["/guest/a", "/ns/p/b"]),)
    assert sequence.annotations["kept"] == 1

    given_some = {"parameters": [{"key": "b", "value": 2}]}
    assert updated(sequence, change(given_some), updated_ms=3).parameters == sequence.parameters
    assert updated(sequence, change({"exec": CODE}), updated_ms=3).parameters == ()
    again_code = updated(sequence, change({"exec": CODE} | given_some), updated_ms=3)
    assert again_code.parameters == (Parameter("b", 2),)


def test_a_blackbox_without_code_has_none() -> None:
    for blank in ({}, {"code": ""}, {"code": " \n"}):
        made = action({"exec": {"kind": "blackbox", "image": "x/y"} | blank})
        assert made.exec == Exec(kind="blackbox", image="x/y")


@pytest.mark.parametrize(
    ("code", "binary"),
    [
        ("", False),
        ("  \n", False),
        ("abcd", True),
        (" abcd\n", True),
        ("abc", False),
        ("abc=", True),
        ("ab==", True),
        ("a===", False),
        ("====", False),
        ("def main", False),
        ("ab=c", False),
    ],
)
def test_code_is_binary_when_it_looks_like_base64(code: str, binary: bool) -> None:
    assert looks_binary(code) is binary
    assert action({"exec": CODE | {"code": code, "binary": not binary}}).exec.binary is binary


@pytest.mark.parametrize(
    ("image", "normal"),
    [
        ("x", "x"),
        ("x/y:1", "x/y:1"),
        ("openwhisk/dockerskeleton", "openwhisk/dockerskeleton"),
        ("localhost:5000/a/b-c:latest", "localhost:5000/a/b-c:latest"),
        ("reg.example.com/x", "reg.example.com/x"),
        ("a@sha256:" + "0" * 64, "a"),
        ("X", None),
        ("a b", None),
        ("", None),
        ("a:", None),
        ("/a", None),
        ("a//b", None),
        ("a\n", None),
    ],
)
def test_an_image_is_a_docker_reference_and_its_digest_is_dropped(
    image: str, normal: str | None
) -> None:
    assert normal_image(image) == normal


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_a_version_reads_as_it_was_written_and_the_next_one_is_greater(
    major: int, minor: int, patch: int
) -> None:
    version = f"{major}.{minor}.{patch}"
    assert read_version(version) == version
    assert next_version(version) == f"{major}.{minor}.{patch + 1}"


@pytest.mark.parametrize(
    "text", ["", ".", "0.0.0", "-1.0.0", "1.a", "1 ", "1_0", "a", "99999999999.0.0", "²"]
)
def test_what_is_no_version_is_none(text: str) -> None:
    assert read_version(text) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["exec", "parameters", "annotations", "delAnnotations", "limits", "version", "publish"]
)


@given(JSON | st.dictionaries(FIELDS, JSON))
def test_whatever_is_sent_either_reads_or_is_refused_with_words(body: Any) -> None:
    try:
        assert isinstance(change(body), ActionChange)
    except BriskError as refused:
        assert str(refused)
