"""What code is given: the later wins, init parameters never reach the run, digits survive."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from common.codec import decode, encode
from common.entity.action import Parameter
from common.entity.parameters import as_text, merge, overridden

KEYS = st.sampled_from(["a", "b", "c", "name", "LONG_KEY"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(1 << 80),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.just("k"), st.integers(), max_size=1),
)  # fmt: skip
BOUND = st.lists(st.builds(Parameter, KEYS, VALUES, st.booleans()), max_size=8)
GIVEN = st.dictionaries(KEYS, VALUES, max_size=4)


@given(BOUND, GIVEN)
def test_merging_is_a_dictionary_laid_over_the_others(
    bound: list[Parameter], given_values: dict[str, Any]
) -> None:
    expected: dict[str, Any] = {}
    init: dict[str, bool] = {}
    for parameter in bound:
        expected[parameter.key] = parameter.value
        init[parameter.key] = parameter.init
    expected |= given_values

    arguments = merge(bound, encode(given_values))

    run = decode(arguments.payload)
    assert run == {key: value for key, value in expected.items() if not init.get(key)}
    assert arguments.init_env == {key: as_text(expected[key]) for key in init if init[key]}


@given(BOUND, st.lists(VALUES, max_size=3))
def test_an_array_is_passed_on_as_it_is(bound: list[Parameter], values: list[Any]) -> None:
    payload = encode(values)
    assert merge(bound, payload).payload == payload


@given(BOUND)
def test_no_payload_is_an_empty_object(bound: list[Parameter]) -> None:
    assert merge(bound, None) == merge(bound, b"{}")


def test_without_bound_parameters_the_payload_is_not_touched() -> None:
    payload = b'{ "spaces" : 1.50, "spaces": 2 }'
    assert merge([], payload).payload is payload


def test_the_later_binding_decides_whether_a_parameter_is_for_the_load() -> None:
    package, action = Parameter("key", "package", init=True), Parameter("key", "action")
    assert decode(merge([package, action], None).payload) == {"key": "action"}
    assert merge([action, package], None).init_env == {"key": "package"}


def test_what_an_environment_variable_looks_like() -> None:
    values: list[Any] = ["text", None, True, 1 << 80, 1.5, {"a": [1]}]
    assert [as_text(value) for value in values] == [
        "text", "", "true", str(1 << 80), "1.5", '{"a":[1]}',
    ]  # fmt: skip


def test_only_what_is_bound_to_a_value_counts_as_overridden() -> None:
    bound = [Parameter("set", 0), Parameter("open", None)]
    assert overridden(bound, {"set": 1})
    assert not overridden(bound, {"open": 1, "new": 2})
