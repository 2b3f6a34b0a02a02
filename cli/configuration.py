"""Whom a command talks to, and as whom.

A flag beats the environment, the environment the property file, and that the default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli import environment, wskprops
from cli.failures import Failure, Remedy

DEFAULT_API_VERSION: Final = "v1"
DEFAULT_GATEWAY_TOKEN: Final = "DUMMY TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What flags, environment and property file amount to; empty texts are not configured."""

    api_host: str = ""
    """As it was typed: `host`, `host:port`, or with `http://` or `https://`."""
    auth: str = ""
    api_version: str = DEFAULT_API_VERSION
    cert: str = ""
    key: str = ""
    gateway_token: str = DEFAULT_GATEWAY_TOKEN
    """What gateways of others want to see of who manages APIs."""
    gateway_tenant: str = ""
    """Whose APIs are managed: the first half of the key in the property file."""
    is_insecure: bool = False
    is_verbose: bool = False
    is_debug: bool = False

    @property
    def host_url(self) -> str:
        """Where the host is, `https://` unless a scheme was typed. Raises `Failure`."""
        if not self.api_host:
            raise Failure(
                "The API host is not valid: An API host must be provided.\n",
                remedy=Remedy(
                    "no --apihost, no WHISK_APIHOST, no APIHOST in the property file",
                    "brisk serve",
                ),
            )
        host = self.api_host.rstrip("/")
        return host if host.startswith("http") else f"https://{host}"

    @property
    def gateway_query(self) -> dict[str, str]:
        """What each request to manage APIs says in its query."""
        return {"accesstoken": self.gateway_token, "spaceguid": self.gateway_tenant}

    def check_certificate(self) -> None:
        """Raise `Failure` when only one half of a client certificate is configured."""
        for missing, given, name in ((self.key, self.cert, "Key"), (self.cert, self.key, "Cert")):
            if given and not missing:
                raise Failure(
                    f"The {name} file is not configured. Please configure the missing {name} file."
                )
        for path in filter(None, (self.cert, self.key)):
            if not Path(path).is_file():
                raise Failure(
                    "Unable to load the X509 key pair due to the following reason: "
                    f"open {path}: no such file or directory"
                )


def resolve(flags: Mapping[str, str]) -> Configuration:
    """Return the configuration under *flags*: the global ones that were typed, by long name."""
    stored = wskprops.read(Path(flags["config"]) if "config" in flags else wskprops.location())

    def first(flag: str, variable: str, default: str = "") -> str:
        from_environment = environment.variable(f"WHISK_{variable}")
        return flags.get(flag) or from_environment or stored.get(variable) or default

    return Configuration(
        api_host=first("apihost", "APIHOST"),
        auth=first("auth", "AUTH"),
        api_version=first("apiversion", "APIVERSION", DEFAULT_API_VERSION),
        # The environment of OpenWhisk's command line names no certificates.
        cert=flags.get("cert") or stored.get("CERT", ""),
        key=flags.get("key") or stored.get("KEY", ""),
        gateway_token=flags.get("gateway_token")
        or stored.get("APIGW_ACCESS_TOKEN")
        or DEFAULT_GATEWAY_TOKEN,
        # As OpenWhisk's command line does, which does not look at the flag first.
        gateway_tenant=(stored.get("AUTH") or first("auth", "AUTH")).partition(":")[0],
        is_insecure="insecure" in flags,
        is_verbose="verbose" in flags,
        is_debug="debug" in flags or bool(environment.variable("WSK_CLI_DEBUG")),
    )
