"""Who may do what with what: the whole table."""

import pytest

from common.entity.names import QualifiedName
from common.entity.package import Package
from common.ids import Namespace
from controller.entitlement.rights import Right, may

OWN, OTHER = Namespace("guest"), Namespace("other")
READ, ACTIVATE, WRITE = Right.READ, Right.ACTIVATE, Right.WRITE


def package(*, publish: bool, bound: bool = False) -> Package:
    name = QualifiedName(OTHER, None, "p")
    target = QualifiedName(OTHER, None, "q") if bound else None
    return Package(name=name, publish=publish, binding=target)


PRIVATE, SHARED = package(publish=False), package(publish=True)
BINDING = package(publish=True, bound=True)


@pytest.mark.parametrize(
    ("caller", "right", "within", "allowed"),
    [
        (OTHER, READ, None, True),
        (OTHER, ACTIVATE, None, True),
        (OTHER, WRITE, None, True),
        (OTHER, READ, PRIVATE, True),
        (OTHER, ACTIVATE, BINDING, True),
        (OTHER, WRITE, SHARED, True),
        (OWN, READ, None, False),
        (OWN, ACTIVATE, None, False),
        (OWN, WRITE, None, False),
        (OWN, READ, PRIVATE, False),
        (OWN, ACTIVATE, PRIVATE, False),
        (OWN, WRITE, PRIVATE, False),
        (OWN, READ, SHARED, True),
        (OWN, ACTIVATE, SHARED, True),
        (OWN, WRITE, SHARED, False),
        (OWN, READ, BINDING, False),
        (OWN, ACTIVATE, BINDING, False),
        (OWN, WRITE, BINDING, False),
    ],
)
def test_others_use_what_is_shared_and_write_nothing(
    caller: Namespace, right: Right, within: Package | None, allowed: bool
) -> None:
    name = QualifiedName(OTHER, "p" if within else None, "a")
    assert may(caller, right, name, within) is allowed
