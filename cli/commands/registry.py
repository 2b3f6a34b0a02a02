"""`registry`: what the namespace shows registries, so that its private images can be pulled."""

import getpass
import sys

from cli.console import bold
from cli.failures import MISUSE, Failure
from cli.grammar import Group, Words
from cli.output import shown, told
from cli.session import Session

registry = Group("registry", help="Credentials for registries of private images.")


@registry.command(
    "set", words=(2, 2), shown="HOST USERNAME", needs="A host and a username are required."
)
def set_login(session: Session, words: Words) -> None:
    """Keep a username for HOST, and the password that standard input brings."""
    host, username = words
    password = _password(host)
    try:
        session.client().put_registry(host, username, password)
    except Failure as failure:
        raise failure.within(f"Unable to keep the credentials for '{host}'") from failure
    told(session, f"kept credentials for {bold(host)}", {"host": host, "username": username})


@registry.command("list", words=(0, 0), needs="No arguments are required.")
def list_logins(session: Session, words: Words) -> None:
    """List hosts and usernames; passwords are not shown."""
    try:
        found = session.client().registries()
    except Failure as failure:
        raise failure.within("Unable to obtain the list of registries") from failure
    if shown(session, found, is_tabular=True):
        return
    print(bold("registries"))
    for each in found:
        print(f"{each.get('host')}  {each.get('username')}")


@registry.command("delete", words=(1, 1), shown="HOST", needs="A host is required.")
def delete_login(session: Session, words: Words) -> None:
    """Forget the credentials for HOST."""
    [host] = words
    try:
        session.client().delete_registry(host)
    except Failure as failure:
        raise failure.within(f"Unable to delete the credentials for '{host}'") from failure
    told(session, f"deleted credentials for {bold(host)}", {"host": host})


def _password(host: str) -> str:
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {host}: ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Failure("The password is read from standard input, and there is none.", MISUSE)
    return password
