"""Messages of rtnetlink: links, addresses, routes. The kernel's own interface, without `ip`.

Making a namespace ready takes two dozen changes. As messages they cost two milliseconds; as
commands ten, and a package that has to be there. Source: `linux/rtnetlink.h`, `linux/if_link.h`,
`linux/veth.h`.
"""

import itertools
import os
import socket
import struct
from collections.abc import Iterable
from typing import Final, TypeAlias

from invoker.driver.egress.plan import Address, Block

_NEW_LINK, _DELETE_LINK, _GET_LINK, _SET_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 17, 18, 19, 20, 24
_REQUEST, _ACK, _EXCLUSIVE, _CREATE = 1, 4, 0x200, 0x400
_ERROR: Final = 2
_ADDRESS, _NAME, _MASTER, _PORT_INFO, _INFO, _NAMESPACE = 1, 3, 10, 12, 18, 28
_INFO_KIND, _INFO_DATA = 1, 2
_PEER, _ISOLATED, _NESTED = 1, 33, 0x8000
_LOCAL, _REMOTE = 2, 1
_DESTINATION, _OUT, _GATEWAY = 1, 4, 5
_UP: Final = 1
_AF_BRIDGE: Final = 7
_RUNNING: Final = 0x40
_NO_DAD: Final = 2
_MAIN, _STATIC = 254, 4
_LINK_SCOPE, _UNIVERSE = 253, 0
_UNICAST, _PROHIBITED = 1, 8
_TIMEOUT_S: Final = 5.0


Message: TypeAlias = tuple[int, int, bytes]
"""What to do, how, and with what."""


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded as the next one needs it."""
    padding = bytes(-len(value) % 4)
    return struct.pack("HH", len(value) + 4, kind) + value + padding


def _nest(kind: int, *inner: bytes) -> bytes:
    return attribute(kind | _NESTED, b"".join(inner))


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("I", value))


def _link(index: int = 0, up: bool = False) -> bytes:
    return struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, _UP if up else 0, _UP if up else 0)


def new_bridge(name: str, hardware_address: bytes) -> Message:
    """Return the message that makes a bridge, up."""
    body = _link(up=True) + _text(_NAME, name) + attribute(_ADDRESS, hardware_address)
    return _NEW_LINK, _CREATE | _EXCLUSIVE, body + _nest(_INFO, _text(_INFO_KIND, "bridge"))


def new_pair(name: str, bridge: int, peer: str, namespace: int, hardware_address: bytes) -> Message:
    """Return the message that makes a cable from the port *name* of *bridge* into *namespace*."""
    far = _link() + _text(_NAME, peer) + attribute(_ADDRESS, hardware_address)
    far += _number(_NAMESPACE, namespace)
    info = _nest(_INFO, _text(_INFO_KIND, "veth"), _nest(_INFO_DATA, attribute(_PEER, far)))
    body = _link(up=True) + _text(_NAME, name) + _number(_MASTER, bridge) + info
    return _NEW_LINK, _CREATE | _EXCLUSIVE, body


def isolate(port: int) -> Message:
    """Return the message that keeps a port of a bridge from all others that are kept so."""
    head = struct.pack("BxHiII", _AF_BRIDGE, 0, port, 0, 0)
    return _SET_LINK, 0, head + _nest(_PORT_INFO, attribute(_ISOLATED, b"\1"))


def raise_link(index: int) -> Message:
    """Return the message that sets a link up."""
    return _NEW_LINK, 0, _link(index, up=True)


def delete_link(index: int) -> Message:
    """Return the message that removes a link."""
    return _DELETE_LINK, 0, _link(index)


def new_address(index: int, address: Address, prefix: int) -> Message:
    """Return the message that gives a link an address."""
    body = struct.pack("BBBBI", _family(address), prefix, _NO_DAD, _UNIVERSE, index)
    packed = address.packed
    return _NEW_ADDRESS, _CREATE, body + attribute(_LOCAL, packed) + attribute(_REMOTE, packed)


def new_route(block: Block, index: int, gateway: Address | None = None) -> Message:
    """Return the message that leads *block* through a link, by *gateway* or directly."""
    scope = _LINK_SCOPE if gateway is None and block.version == 4 else _UNIVERSE
    body = _route(block, scope, _UNICAST) + _number(_OUT, index)
    return _NEW_ROUTE, _CREATE, body + (attribute(_GATEWAY, gateway.packed) if gateway else b"")


def prohibit(block: Block) -> Message:
    """Return the message that has whoever sends to *block* be told that it may not."""
    return _NEW_ROUTE, _CREATE, _route(block, _UNIVERSE, _PROHIBITED)


def _route(block: Block, scope: int, kind: int) -> bytes:
    family = _family(block.network_address)
    head = struct.pack("8BI", family, block.prefixlen, 0, 0, _MAIN, _STATIC, scope, kind, 0)
    return head + attribute(_DESTINATION, block.network_address.packed)


def _family(address: Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def encoded(message: Message, number: int) -> bytes:
    """Return the bytes of *message*; the answer to it bears its *number*."""
    kind, flags, body = message
    head = struct.pack("IHHII", 16 + len(body), kind, flags | _REQUEST | _ACK, number, 0)
    return head + body


class Netlink:
    """A socket to the kernel; it belongs to the network namespace in which it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.settimeout(_TIMEOUT_S)
        self._numbers = itertools.count(1)

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def do(self, messages: Iterable[Message]) -> None:
        """Have the kernel carry out *messages* in order. Raises `OSError` for what it refuses."""
        for message in messages:
            self._ask(message)

    def index(self, name: str) -> int:
        """Return the number of the link *name*. Raises `OSError`."""
        answer = self._ask((_GET_LINK, 0, _link() + _text(_NAME, name)))
        (index,) = struct.unpack_from("i", answer, 4)
        return int(index)

    def has_carrier(self, name: str) -> bool:
        """Tell whether anything is plugged into the link *name*. Raises `OSError`."""
        answer = self._ask((_GET_LINK, 0, _link() + _text(_NAME, name)))
        (flags,) = struct.unpack_from("I", answer, 8)
        return bool(flags & _RUNNING)

    def _ask(self, message: Message) -> bytes:
        """Return the body of the answer; that of a mere "done" is empty."""
        kind = message[0]
        number = next(self._numbers)
        self._socket.send(encoded(message, number))
        answer = b""
        while True:
            datagram = self._socket.recv(1 << 16)
            _, answer_kind, _, answer_number, _ = struct.unpack_from("IHHII", datagram)
            if answer_number != number:
                continue
            if answer_kind == _ERROR:
                (code,) = struct.unpack_from("i", datagram, 16)
                if code:
                    raise OSError(-code, f"netlink message {kind}: {os.strerror(-code)}")
                return answer
            answer = datagram[16:]
