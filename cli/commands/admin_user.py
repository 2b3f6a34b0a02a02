"""`admin user`: who may ask, with which key. The lines are those of OpenWhisk's `wskadmin`.

Works on the stores, also while the platform runs: it takes note within two seconds.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cli.commands.admin_stores import done, which_stores
from cli.failures import Ended, Failure, Remedy
from cli.grammar import INTEGER, Group, Words
from cli.keys import new_auth, new_key
from cli.output import shown
from cli.session import Session

if TYPE_CHECKING:
    from cli.upkeep.stores import Installation
    from common.store.subject_admin import Held

LEAST_LETTERS = 5
UUID_LENGTH = 36
KEY_LENGTH = 64
_NEEDS = "A subject is required."

user = Group("user", help="Identities: subjects, their namespaces, and the key of each.")


class Stores(NamedTuple):
    """Which stores are meant: the flags `--data` and `--cluster`."""

    data: str | None
    cluster: bool


@user.command("create", words=(1, 1), shown="SUBJECT", needs=_NEEDS)
@which_stores
@click.option("-ns", "--namespace", metavar="NAME", help="the namespace; default: the subject")
@click.option("-u", "--auth", metavar="UUID:KEY", help="this key; default: a new one")
@click.option("-r", "--revoke", is_flag=True, help="a new uuid and key where it has the namespace")
@click.option("-g", "--genonly", is_flag=True, help="make up a key, and keep nothing")
@click.option("-s", "--silent", is_flag=True, help="do not print the key")
def create(
    session: Session, words: Words, *, namespace: str | None, auth: str | None,
    revoke: bool, genonly: bool, silent: bool, **stores: Any,
) -> None:  # fmt: skip
    """Make a subject, or give one a further namespace, also one that others have; print its key."""
    [subject] = words
    if len(subject) < LEAST_LETTERS:
        raise _refused(f"Subject name must be at least {LEAST_LETTERS} characters")
    uuid, _, key = _checked(auth or new_auth()).partition(":")
    if not genonly:
        _made(Stores(**stores), subject, namespace or subject, (uuid, key), revokes=revoke)
    if not silent:
        found = {"subject": subject, "namespace": namespace or subject, "auth": f"{uuid}:{key}"}
        if not shown(session, found):
            print(found["auth"])


@user.command("rotate", words=(1, 1), shown="SUBJECT", needs=_NEEDS)
@which_stores
@click.option("-ns", "--namespace", metavar="NAME", help="the namespace; default: the subject")
def rotate(session: Session, words: Words, *, namespace: str | None, **stores: Any) -> None:
    """Make a new key for the same uuid, and print it; the old one opens nothing any more."""
    [subject] = words

    async def work(installation: "Installation") -> tuple["Held", bool]:
        from common.ids import Namespace, Subject

        async with installation.identities() as admin:
            held = await admin.rotate(
                Subject(subject), Namespace(namespace or subject), key=new_key()
            )
        return held, installation.keep_guest_key(held.uuid, held.auth)

    held, is_guest = _done(work, Stores(**stores))
    if not shown(session, _json(held)):
        print(held.auth)
    if is_guest:
        _note("guest.key has it, too; `brisk property set --auth KEY` gives it to the client")


@user.command("get", words=(1, 1), shown="SUBJECT", needs=_NEEDS)
@which_stores
@click.option("-ns", "--namespace", metavar="NAME", help="the namespace; default: the subject")
@click.option("-a", "--all", "every", is_flag=True, help="every namespace that it has")
def get(
    session: Session, words: Words, *, namespace: str | None, every: bool, **stores: Any
) -> None:
    """Print the key of a subject in a namespace, or in all of them."""
    [subject] = words

    async def work(installation: "Installation") -> list["Held"]:
        from common.ids import Subject

        async with installation.identities() as admin:
            return await admin.held(Subject(subject))

    held = _done(work, Stores(**stores))
    if every:
        if not shown(session, [_json(each) for each in held], is_tabular=True):
            for each in held:
                print(f"{each.namespace}\t{each.auth}")
        return
    wanted = namespace or subject
    found = next((each for each in held if each.namespace == wanted), None)
    if found is None:
        raise _refused(f'namespace "{wanted}" not found for "{subject}"')
    if not shown(session, _json(found)):
        print(found.auth)


@user.command("whois", words=(1, 1), shown="UUID:KEY", needs="A key is required.")
@which_stores
def whois(session: Session, words: Words, **stores: Any) -> None:
    """Say whose key it is."""
    uuid, _, key = words[0].partition(":")

    async def work(installation: "Installation") -> "Held | None":
        async with installation.identities() as admin:
            return await admin.owner(uuid, key)

    held = _done(work, Stores(**stores))
    if held is None:
        print("Subject id is not recognized")
    elif not shown(session, {"subject": held.subject, "namespace": held.namespace}):
        print(f"subject: {held.subject}\nnamespace: {held.namespace}")


@user.command("list", words=(1, 1), shown="NAMESPACE", needs="A namespace is required.")
@which_stores
@click.option("-p", "--pick", type=INTEGER, metavar="N", default=1, help="N at most; default 1")
@click.option("-a", "--all", "every", is_flag=True, help="all of them")
@click.option("-k", "--key", "keys", is_flag=True, help="the keys alone")
def list_members(
    session: Session, words: Words, *, pick: int, every: bool, keys: bool, **stores: Any
) -> None:
    """List the keys that open a namespace; those of blocked subjects open nothing."""
    [namespace] = words

    async def work(installation: "Installation") -> list["Held"]:
        from common.ids import Namespace

        async with installation.identities() as admin:
            return await admin.members(Namespace(namespace))

    held = _done(work, Stores(**stores))
    chosen = held if every else held[: max(pick, 0)]
    if shown(session, [_json(each) for each in chosen], is_tabular=True):
        return
    if not held:
        print(f'no identities found for namespace "{namespace}"')
    for each in chosen:
        print(each.auth if keys else f"{each.auth}\t{each.subject}")


@user.command("delete", words=(1, 1), shown="SUBJECT", needs=_NEEDS)
@which_stores
@click.option("-ns", "--namespace", metavar="NAME", help="take this namespace away from it alone")
def delete(session: Session, words: Words, *, namespace: str | None, **stores: Any) -> None:
    """Forget a subject and its keys. What is in its namespaces stays, and so does their bill."""
    [subject] = words

    async def work(installation: "Installation") -> bool:
        from common.ids import Namespace, Subject
        from common.store.subject_admin import NoIdentity

        async with installation.identities() as admin:
            gone = await admin.held(Subject(subject))
            try:
                await admin.delete(Subject(subject), Namespace(namespace) if namespace else None)
            except NoIdentity:
                raise _refused(f'Namespace "{namespace}" does not exist for "{subject}"') from None
        taken = [each.uuid for each in gone if namespace in (None, each.namespace)]
        return any(installation.keep_guest_key(uuid, None) for uuid in taken)

    was_guest = _done(work, Stores(**stores))
    print("Namespace deleted" if namespace else "Subject deleted")
    if was_guest:
        _note("the next start makes a new guest, with a new key")


@user.command("block", words=(1, 999), shown="SUBJECT…", needs=_NEEDS)
@which_stores
def block(session: Session, words: Words, **stores: Any) -> None:
    """Have all keys of subjects open nothing; ends with the number of those that failed."""
    _block(words, Stores(**stores), is_blocked=True)


@user.command("unblock", words=(1, 999), shown="SUBJECT…", needs=_NEEDS)
@which_stores
def unblock(session: Session, words: Words, **stores: Any) -> None:
    """Have the keys of blocked subjects open again; ends with the number of those that failed."""
    _block(words, Stores(**stores), is_blocked=False)


def _block(words: Words, stores: Stores, *, is_blocked: bool) -> None:
    subjects = [word.strip() for word in words if word.strip()]
    said = "blocked" if is_blocked else "unblocked"

    async def work(installation: "Installation") -> int:
        from common.errors import BriskError
        from common.ids import Subject

        failed = 0
        async with installation.identities() as admin:
            for subject in subjects:
                try:
                    await admin.block(Subject(subject), is_blocked=is_blocked)
                except BriskError as error:
                    failed += 1
                    _note(f"Failed to get subject ({error})")
                else:
                    print(f'"{subject}" {said} successfully')
        return failed

    if failed := _done(work, stores):
        raise Ended(failed)


def _made(
    stores: Stores, subject: str, namespace: str, key: tuple[str, str], *, revokes: bool
) -> None:
    async def work(installation: "Installation") -> None:
        from common.ids import Namespace, Subject
        from common.store.subject_admin import NamespaceExists

        who, where = Subject(subject), Namespace(namespace)
        async with installation.identities() as admin:
            try:
                await admin.create(who, where, *key, may_share=True)
            except NamespaceExists:
                if not revokes:
                    raise
                old = [each for each in await admin.held(who) if each.namespace == where]
                held = await admin.rotate(who, where, key=key[1], uuid=key[0])
                for each in old:
                    installation.keep_guest_key(each.uuid, held.auth)

    _done(work, stores)


def _checked(auth: str) -> str:
    """Return *auth*. Raises `Failure` in wskadmin's words when it is no key."""
    import uuid as uuids

    uuid, _, key = auth.partition(":")
    try:
        is_uuid = len(uuid) == UUID_LENGTH and str(uuids.UUID(uuid)) == uuid.lower()
    except ValueError:
        is_uuid = False
    if not is_uuid:
        raise _refused("authorization id is not a valid UUID")
    if len(key) < KEY_LENGTH:
        raise _refused(f"authorization key must be at least {KEY_LENGTH} characters long")
    if len(key) > KEY_LENGTH:
        raise _refused(f"authorization key is longer than {KEY_LENGTH} characters: it would open "
                       "nothing")  # fmt: skip
    return auth


def _done(work: Any, stores: Stores) -> Any:
    return done(work, stores.data, is_cluster=stores.cluster)


def _json(held: "Held") -> dict[str, str]:
    return {"subject": held.subject, "namespace": held.namespace, "auth": held.auth}


def _refused(text: str) -> Failure:
    return Failure(text, shows_usage=False, remedy=Remedy())


def _note(text: str) -> None:
    click.echo(f"note: {text}", err=True)
