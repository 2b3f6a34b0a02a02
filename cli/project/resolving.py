"""What inputs come to: what was typed, else what a deployment file says, else the manifest. Pure.

A value that was written as text becomes what its type says; a type alone means its zero. What is
required and has no value anywhere is refused before anything is sent.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cli.failures import Failure, Remedy
from cli.jsontext import Json, NotJson, decode
from cli.project.interpolation import Scope, replaced
from cli.project.manifest import Input, Inputs

ZEROS: Final[Mapping[str, Callable[[], Json]]] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "json": dict,
    "slice": list,
}
BARE: Final = frozenset({"string", "integer", "float", "boolean", "json"})
"""Types that may stand in place of a value."""


def values_of(
    inputs: Inputs, scope: Scope, typed: Mapping[str, Json], *, from_environment: bool = False
) -> dict[str, Json]:
    """Return the values of *inputs*.

    typed: what the command line says; it wins.
    from_environment: whether an input without a value takes the variable of its name.
    Raises `Failure` for what is required and has none, and for what is of another type.
    """
    found: dict[str, Json] = {}
    lacking: list[str] = []
    for name, declared in inputs.items():
        value = replaced(typed[name], scope) if name in typed else _value(declared, scope)
        if value is None and from_environment and scope.environment.get(name):
            value = scope.environment[name]
        if declared.is_required and value in (None, "") and not scope.is_lenient:
            lacking.append(name)
        elif value is None:
            found[name] = ZEROS[declared.type or "string"]()
        else:
            found[name] = _typed(name, declared, value)
            if declared.type == "string" and not isinstance(found[name], str):
                kind = type(found[name]).__name__
                scope.notes.append(f"{declared.place}: the string '{name}' is of type {kind}")
    if lacking:
        raise _lacks(inputs, lacking)
    return found


def _value(declared: Input, scope: Scope) -> Json:
    value = declared.default if declared.value is None else declared.value
    if declared.is_inline and isinstance(value, str) and value in BARE:
        return ZEROS[value]()
    return replaced(value, scope)


def _typed(name: str, declared: Input, value: Json) -> Json:
    """Return *value* as its type has it; text is read as JSON for every type but text."""
    wanted = declared.type
    if wanted is None or _is(value, wanted):
        return value
    if isinstance(value, str):
        if not value:
            return ZEROS[wanted]()  # A variable that is not set.
        try:
            read = decode(value)
        except NotJson:
            read = value
        # JSON that is written as text may be any value.
        if read is not value and (wanted == "json" or _is(read, wanted)):
            return read
    raise declared.place.refuse(
        f"the input '{name}' is not of type {wanted}",
        f"its value is {type(value).__name__}" if not isinstance(value, str) else "",
    )


def _is(value: Json, wanted: str) -> bool:
    match wanted:
        case "string":
            return True  # As wskdeploy has it: people write 0 and mean a text, or a number.
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "slice":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict | list)


def _lacks(inputs: Inputs, names: list[str]) -> Failure:
    place = inputs[names[0]].place
    said = f"required inputs without a value: {', '.join(names)}"
    failure = place.refuse(said)
    failure.remedy = Remedy("nothing was sent", f"add --param {names[0]} VALUE")
    return failure
