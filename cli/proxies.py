"""Which proxy stands before a host, by the variables that every client obeys.

`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or the same in lower case. This machine is never reached
through a proxy.
"""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from cli import environment

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def proxy_for(url: SplitResult) -> SplitResult | None:
    """Return the proxy to *url*; None is a direct connection."""
    host = url.hostname or ""
    if is_loopback(host) or _is_exempt(host, url.port or _DEFAULT_PORTS.get(url.scheme, 0)):
        return None
    proxy = _variable(f"{url.scheme}_proxy")
    if not proxy:
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def is_loopback(host: str) -> bool:
    """Tell whether *host* is a name of this machine."""
    return host in ("localhost", "::1") or host.startswith("127.")


def _is_exempt(host: str, port: int) -> bool:
    rules = [rule.strip().lower() for rule in _variable("no_proxy").split(",") if rule.strip()]
    return any(_covers(rule, host, port) for rule in rules)


def _covers(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    if "/" in rule:
        return _is_in_network(host, rule)
    name, colon, rule_port = rule.rpartition(":")
    if colon and rule_port.isdigit() and ":" not in name:
        if int(rule_port) != port:
            return False
        rule = name
    rule = rule.removeprefix("*")
    return host == rule.removeprefix(".") or host.endswith("." + rule.removeprefix("."))


def _is_in_network(host: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network  # Only who writes networks pays for them.

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False  # A name is in no network.


def _variable(name: str) -> str:
    return environment.variable(name) or environment.variable(name.upper())
