"""`serve`: the whole platform in this process."""

from pathlib import Path

import click

from cli.failures import Change, Ended, Failure, Remedy
from cli.grammar import INTEGER, Command, Words
from cli.session import Session

_PORTS = range(65536)


@click.command("serve", cls=Command, words=(0, 0), needs="No arguments are required.")
@click.option("--host", metavar="HOST", help="the address to listen on (127.0.0.1)")
@click.option("--port", type=INTEGER, help="the port to listen on, 0 for any (3233)")
@click.option("--data", metavar="DIR", help="the folder that holds all state")
@click.option("--auth", metavar="UUID:KEY", help="the key of the namespace guest")
def serve(
    session: Session,
    words: Words,
    host: str | None,
    port: int | None,
    data: str | None,
    auth: str | None,
) -> None:
    """Run the whole platform on this machine, until it is interrupted."""
    if port is not None and port not in _PORTS:
        raise Failure(f"There is no port {port}: a port is a number from 0 to {_PORTS[-1]}.")
    # The platform is imported here and not above: client commands must start without it.
    from cli.standalone import serve as serve_platform
    from common.data_folder import DataFolderInUse, DataFolderUnusable
    from common.errors import BriskError
    from common.listener import PortInUse

    try:
        raise Ended(serve_platform(host, port, Path(data) if data else None, auth))
    except PortInUse as error:
        change = Change((), ("--port", "0")) if port is None else Change((str(port),), ("0",))
        raise _failed(error, Remedy("0 is any port that is free", change=change)) from error
    except (DataFolderInUse, DataFolderUnusable) as error:
        other = Change((data,), (f"{data}-2",)) if data else Change((), ("--data", "brisk-data"))
        raise _failed(error, Remedy("a platform has a folder to itself", change=other)) from error
    except BriskError as error:
        raise _failed(error, Remedy(fix="brisk doctor")) from error


def _failed(error: Exception, remedy: Remedy) -> Failure:
    return Failure(str(error), shows_usage=False, remedy=remedy)
