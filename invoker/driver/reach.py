"""What functions may reach: what is asked for, what a host can give, who else is there. Pure."""

from collections.abc import Collection
from typing import Final

from invoker.driver.port import Ability, Degradation, Network

MANY: Final = 2
"""Tenants, where nobody knows how many there are."""
_ORDER: Final = (Network.NONE, Network.EGRESS, Network.HOST)


def granted(wanted: Network, abilities: Collection[Ability], tenants: int) -> Network:
    """Return what sandboxes get.

    Where they cannot be led outside by networks of their own, a single tenant, whose machine this
    is, gets the host's; a second one would reach the first one's services by it, and gets none.
    """
    if wanted is not Network.EGRESS or Ability.EGRESS in abilities:
        return wanted
    return Network.HOST if tenants == 1 else Network.NONE


def lesser(one: Network, other: Network) -> Network:
    """Return what reaches less: who asks for more than there is gets what there is."""
    return min(one, other, key=_ORDER.index)


def consequences(wanted: Network, got: Network) -> tuple[Degradation, ...]:
    """Return what an operator should know about functions that get *got*."""
    if got is Network.HOST:
        why = (
            "BRISK_SANDBOX__NETWORK=host"
            if wanted is Network.HOST
            else "they cannot have one of their own here, and there is only one namespace"
        )
        what = "functions use this host's network, and reach what listens on 127.0.0.1"
        return (Degradation(what, why, "BRISK_SANDBOX__NETWORK=none closes it"),)
    if got is not wanted:
        what = "functions reach nothing but the platform's API"
        why = "they cannot have networks of their own here, and there are several namespaces"
        remedy = (
            "mend what keeps them from it; BRISK_SANDBOX__NETWORK=host opens this host's to all"
        )
        return (Degradation(what, why, remedy),)
    return ()
