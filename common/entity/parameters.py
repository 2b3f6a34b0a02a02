"""How bound parameters and the caller's payload become what the code is given.

Order, the later wins: package < binding < action < payload. Parameters that are marked `init` never
reach the run: they become environment when the code is loaded, also when the caller sent a value
of that name. Source: OpenWhisk's `Parameters` and `ActivationMessage`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.codec import decode, encode
from common.entity.action import Json, Parameter


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one activation is given.

    payload: compact JSON, an object or an array, for the run.
    init_env: text values, for the load.
    """

    payload: bytes
    init_env: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        """What of a message they take."""
        if not self.init_env:
            return len(self.payload)
        texts = [*self.init_env, *self.init_env.values()]
        return len(self.payload) + sum(len(text.encode()) for text in texts)


def merge(bound: Sequence[Parameter], payload: bytes | None) -> Arguments:
    """Lay *payload* over *bound* parameters.

    bound: in order of precedence, the later wins; from package, binding and action.
    payload: JSON, an object or an array; None is `{}`. An array is passed on as it is.
    """
    if not bound:
        return Arguments(payload or b"{}", {})
    given = decode(payload) if payload else {}
    if not isinstance(given, dict):
        return Arguments(payload or b"{}", _environment(bound, {}))
    values = {parameter.key: parameter.value for parameter in bound}
    init = _init_keys(bound)
    run = {key: value for key, value in (values | given).items() if key not in init}
    return Arguments(encode(run), _environment(bound, given))


def overridden(bound: Sequence[Parameter], given: Mapping[str, Json]) -> bool:
    """Tell whether *given* sets a parameter that is already defined, that is, bound to non-null."""
    values = {parameter.key: parameter.value for parameter in bound}
    return any(values.get(key) is not None for key in given)


def _init_keys(bound: Sequence[Parameter]) -> frozenset[str]:
    return frozenset(key for key, init in {p.key: p.init for p in bound}.items() if init)


def _environment(bound: Sequence[Parameter], given: Mapping[str, Json]) -> dict[str, str]:
    values = {parameter.key: parameter.value for parameter in bound} | dict(given)
    return {key: as_text(values[key]) for key in _init_keys(bound)}


def as_text(value: Json) -> str:
    """Return how an environment variable holds *value*: text as it is, null empty, else JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else encode(value).decode()
