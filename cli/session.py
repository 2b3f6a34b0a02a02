"""What a command is given: who calls it, keys and values of the line, the way to the API."""

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli import configuration
from cli.arguments import Typed
from cli.failures import Failure

if TYPE_CHECKING:
    from cli.client import Client


@dataclass(slots=True)
class Session:
    """One run of the program.

    program: the name it was called by, `brisk` or `wsk`.
    argv: the line as it was typed, without the name.
    flags: global flags that were typed, by long name.
    """

    program: str
    typed: Typed
    argv: tuple[str, ...] = ()
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def is_brisk(self) -> bool:
        """Whether this is more than OpenWhisk's command line."""
        return self.program == "brisk"

    @property
    def output(self) -> str:
        """The form that `-o` names; empty when it was not typed."""
        return self.flags.get("output", "")

    def configuration(self) -> configuration.Configuration:
        """Return whom to talk to."""
        return configuration.resolve(self.flags)

    def client(self) -> "Client":
        """Return the API of the configured host. Raises `Failure` when none is configured."""
        return client_of(self.configuration(), is_brisk=self.is_brisk)


def client_of(config: configuration.Configuration, *, is_brisk: bool) -> "Client":
    """Return the API of the host in *config*; requests are shown where that was asked for."""
    # A command that talks to nobody must not pay for HTTP and TLS.
    from cli.client import Client
    from cli.transport import Transport
    from cli.verbose import Witness

    _ = config.host_url  # Says at once what is missing.
    try:
        config.check_certificate()
    except Failure as failure:
        raise failure.within("Unable to initialize server connection") from failure
    witness = None
    if config.is_verbose or config.is_debug:
        # OpenWhisk's writes into the result; only who asked for its behaviour gets that.
        witness = Witness(sys.stderr if is_brisk else sys.stdout, hides_keys=is_brisk)
    return Client(Transport(config, witness), config.api_version)
