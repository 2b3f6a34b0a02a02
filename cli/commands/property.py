"""`property`: where the platform is, and the key to it."""

from typing import Final

import click

from cli import configuration, wskprops
from cli.failures import GENERAL, NETWORK, Ended, Failure, Remedy
from cli.grammar import Command, Group, Words
from cli.session import Session, client_of
from cli.version import STAMP

LABELS: Final = {
    "apihost": "whisk API host\t\t",
    "auth": "whisk auth\t\t",
    "namespace": "whisk namespace\t\t",
    "cert": "client cert\t\t",
    "key": "Client key\t\t",
    "apiversion": "whisk API version\t",
    "cliversion": "whisk CLI version\t",
    "apibuild": "whisk API build\t\t",
    "apibuildno": "whisk API build number\t",
}
"""In the order of `--all`; each with what stands between it and its value."""

_CHOSEN_ORDER: Final = (
    "apihost",
    "auth",
    "namespace",
    "cert",
    "key",
    "cliversion",
    "apiversion",
    "apibuild",
    "apibuildno",
)
_FORMATS: Final = ("std", "raw")
_NO_ARGUMENTS: Final = "No arguments are required."
_UNKNOWN: Final = "Unknown"

properties = Group("property", help="Where the platform is, and the key to it.")


def _switch(name: str, text: str, *short: str) -> click.Option:
    return click.Option([*short, f"--{name}"], is_flag=True, help=text)


def _get(session: Session, words: Words, output: str, **chosen: bool) -> None:
    is_raw = output.lower() == "raw"
    if output.lower() not in _FORMATS:
        raise Failure("Supported output format are std|raw", shows_usage=False)
    wants_all = chosen.pop("all") or not any(chosen.values())
    if is_raw and wants_all:
        text = "--output|-o raw only supported with specific property type"
        raise Failure(text, shows_usage=False)
    names = list(LABELS) if wants_all else [name for name in _CHOSEN_ORDER if chosen[name]]
    values, failure = _values(session, names)
    for name in names:
        print(values[name] if is_raw else LABELS[name] + values[name])
    if failure is not None:
        raise failure


def _values(session: Session, names: list[str]) -> tuple[dict[str, str], Failure | None]:
    """Return the value of each of *names*, and what hindered the build information."""
    config = session.configuration()
    values = {
        "apihost": config.api_host,
        "auth": config.auth,
        "cert": config.cert,
        "key": config.key,
        "apiversion": config.api_version,
        "cliversion": STAMP,
        "apibuild": _UNKNOWN,
        "apibuildno": _UNKNOWN,
    }
    if "namespace" in names:
        values["namespace"] = _namespace(session, config)
    failure = None
    if "apibuild" in names or "apibuildno" in names:
        _ = config.host_url  # Without a host there is nothing to print.
        try:
            info = client_of(config, is_brisk=session.is_brisk).api_info()
            values["apibuild"] = str(info.get("build") or _UNKNOWN)
            values["apibuildno"] = str(info.get("buildno") or _UNKNOWN)
        except Failure as error:
            said = "Unable to obtain API build information"
            failure = error.within(said, shows_usage=False)
            failure.exit_code = NETWORK
    return values, failure


def _namespace(session: Session, config: configuration.Configuration) -> str:
    try:
        names = client_of(config, is_brisk=session.is_brisk).namespaces()
    except Failure:
        return "_"  # What the caller's namespace is called when nobody can be asked.
    return names[0] if names else "_"


properties.add_command(
    Command(
        "get",
        callback=_get,
        words=(0, 0),
        needs=_NO_ARGUMENTS,
        help="Print properties; all of them unless some are chosen.",
        params=[
            _switch("all", "every property"),
            _switch("apibuild", "build of the API"),
            _switch("apibuildno", "build number of the API"),
            _switch("apihost", "host of the API"),
            _switch("apiversion", "version of the API"),
            _switch("auth", "the key", "-u"),
            _switch("cert", "client certificate"),
            _switch("cliversion", "version of this program"),
            _switch("key", "key of the client certificate"),
            _switch("namespace", "the namespace that the key opens"),
            click.Option(["-o", "--output"], default="std", metavar="std|raw", help="how"),
        ],
    )
)


@properties.command("set", words=(0, 0), needs=_NO_ARGUMENTS, help="Store properties.")
def _set(session: Session, words: Words) -> None:
    flags = {name: session.flags[name] for name in _PHRASES if name in session.flags}
    config = session.configuration()
    if not flags:
        _ = config.host_url
        return
    config.check_certificate()
    _store({name.upper(): value for name, value in flags.items()})
    for name, value in flags.items():
        said, _unset = _PHRASES[name]
        print("ok: " + said.format(value=value, program=session.program))


def _unset(session: Session, words: Words, **chosen: bool) -> None:
    names = [name for name in _PHRASES if chosen[name]]
    if not names:
        _ = session.configuration().host_url
        raise Ended(0)
    _store({name.upper(): None for name in names})
    for name in names:
        print("ok: " + _PHRASES[name][1])


_SEE: Final = "Run '{program} property get --%s' to see the new value."
_PHRASES: Final = {
    "auth": (f"whisk auth set. {_SEE % 'auth'}", "whisk auth unset."),
    "apihost": ("whisk API host set to {value}", "whisk API host unset."),
    "apiversion": (
        "whisk API version set to {value}",
        "whisk API version unset; the default value of v1 will be used.",
    ),
    "cert": (f"client cert set. {_SEE % 'cert'}", "client cert unset."),
    "key": (f"client key set. {_SEE % 'key'}", "client key unset."),
}

properties.add_command(
    Command(
        "unset",
        callback=_unset,
        words=(0, 0),
        needs=_NO_ARGUMENTS,
        help="Forget properties.",
        params=[
            _switch("apihost", "host of the API"),
            _switch("apiversion", "version of the API"),
            _switch("auth", "the key", "-u"),
            _switch("cert", "client certificate"),
            _switch("key", "key of the client certificate"),
        ],
    )
)


def _store(changes: dict[str, str | None]) -> None:
    path = wskprops.location()
    if path is None:
        raise Failure("There is no property file to write: WSK_CONFIG_FILE is empty", GENERAL)
    try:
        wskprops.write(path, changes)
    except OSError as error:
        raise Failure(
            f"Unable to set the property value(s): {error}",
            remedy=Remedy(f"the property file is {path}", "set WSK_CONFIG_FILE to another"),
        ) from error
