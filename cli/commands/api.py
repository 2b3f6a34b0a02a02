"""`api`: addresses of one's own that lead to web actions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from cli import apis
from cli.apis import Endpoint, Operation, checked, operations, shown_api, shown_document
from cli.commands.api_access import key, limit
from cli.commands.entities import page_options
from cli.console import bold, ok, print_json
from cli.failures import GENERAL, Change, Failure, Remedy
from cli.grammar import Group, Words
from cli.jsontext import Json, sorted_keys
from cli.names import OWN, EntityName
from cli.output import shown, told
from cli.session import Session
from cli.shapes import annotation
from cli.yamltext import yaml_of

if TYPE_CHECKING:
    from cli.client import Client

CREATE_NEEDED: Final = (
    "Specify a swagger file or specify an API base path with an API path, an API verb, "
    "and an action name."
)
GET_NEEDED: Final = "An API base path or API name is required."
DELETE_NEEDED: Final = (
    "An API base path or API name is required.  "
    "An optional API relative path and operation may also be provided."
)
LIST_NEEDED: Final = (
    "Optional parameters are: API base path (or API name), API relative path and operation."
)
_FEWEST_OF_AN_ENDPOINT: Final = 3

api = Group("api", help="APIs: create, get, list, delete.")
api.add_command(key)
api.add_command(limit)


@api.command(
    "create",
    words=(0, 4),
    shown="[BASE_PATH] API_PATH VERB ACTION",
    completes=("apis", None, "verbs", "actions"),
    needs=CREATE_NEEDED,
)
@click.option("-n", "--apiname", metavar="NAME", help="what the API is called (BASE_PATH)")
@click.option("-c", "--config-file", metavar="FILE", help="a whole API, in JSON or YAML")
@click.option(
    "--response-type",
    metavar="html|http|json|svg|text",
    default="json",
    help="what the action is asked to answer with (json)",
)
def create(
    session: Session,
    words: Words,
    apiname: str | None,
    config_file: str | None,
    response_type: str,
) -> None:
    """Create an API, or an operation of it that runs a web action."""
    if not words and config_file:
        _create_whole(session, config_file)
        return
    if len(words) < _FEWEST_OF_AN_ENDPOINT:
        remedy = Remedy(fix=f"{session.program} api create --help")
        raise Failure(f"Invalid argument(s). {CREATE_NEEDED}", remedy=remedy)
    try:
        endpoint = apis.typed_endpoint(words, apiname or "", response_type)
    except Failure as failure:
        raise failure.within("Unable to parse api command arguments") from failure
    client, config = session.client(), session.configuration()
    secret = _secret(client, endpoint.action)
    apidoc = apis.described(endpoint, config.host_url, config.auth, response_type, secret)
    with _unable("Unable to create API"):
        made = checked(client.create_api(apidoc, config.gateway_query, response_type))
    if not shown(session, shown_api(made)):
        _print_made(made, endpoint)


@api.command("get", words=(1, 1), shown="BASE_PATH|API_NAME", completes=("apis",), needs=GET_NEEDED)
@click.option("-f", "--full", is_flag=True, help="with its address")
@click.option("--format", "form", metavar="json|yaml", default="json", help="the form (json)")
def get(session: Session, words: Words, full: bool, form: str) -> None:
    """Show the document of an API."""
    if form.lower() not in ("json", "yaml"):
        raise Failure(f"Invalid format type: {form}", shows_usage=False)
    [name] = words
    with _unable(f"Unable to get API '{name}'"):
        found = _found(session, {"basepath": name})
    if not found:
        raise Failure(f"API does not exist for basepath {name}", shows_usage=False)
    value = shown_api(found[0]) if full else shown_document(found[0]["apidoc"])
    if shown(session, value):
        return
    if form.lower() == "yaml":
        print(yaml_of(sorted_keys(value)) + "\n")
    else:
        print_json(value)


@api.command(
    "list",
    words=(0, 3),
    shown="[BASE_PATH|API_NAME [API_PATH [VERB]]]",
    completes=("apis", None, "verbs"),
    needs=LIST_NEEDED,
)
@click.option("-f", "--full", is_flag=True, help="each operation in six lines")
@page_options
def list_apis(
    session: Session, words: Words, full: bool, limit: int, skip: int, name_sort: bool
) -> None:
    """List the operations of APIs."""
    name, path, verb = (*words, "", "", "")[:3]
    _check_part(path, verb)
    query: dict[str, Any] = {"limit": limit, "skip": skip}
    query |= _part(name, path, verb)
    with _unable("Unable to obtain the API list"):
        found = _found(session, query)
    rows = [row for each in found for row in operations(each, path, verb)]
    if name_sort:
        rows.sort(key=lambda row: row.order)
    if not shown(session, [row.shown() for row in rows], is_tabular=True):
        _print_rows(rows, full)


@api.command(
    "delete",
    words=(1, 3),
    shown="BASE_PATH|API_NAME [API_PATH [VERB]]",
    completes=("apis", None, "verbs"),
    needs=DELETE_NEEDED,
)
def delete(session: Session, words: Words) -> None:
    """Delete an API, a path of it, or one verb of a path."""
    name, path, verb = (*words, "", "")[:3]
    _check_part(path, verb)
    query = _part(name, path, verb)
    with _unable("Unable to delete API"):
        session.client().delete_api(session.configuration().gateway_query | query)
    what = f"{path} {verb.upper()}" if verb else path
    said = f"deleted {what} from {name}" if what else f"deleted API {name}"
    told(session, said, {"name": name, **query})


def _create_whole(session: Session, file: str) -> None:
    from cli.apifile import read

    text, _ = read(file)
    client, config = session.client(), session.configuration()
    with _unable("Unable to create API"):
        apidoc = {"namespace": OWN, "swagger": text}
        made = checked(client.create_api(apidoc, config.gateway_query, "json"))
    if shown(session, shown_api(made)):
        return
    for row in operations(made):
        _print_created(row.base_path.removesuffix("/") + row.path, row.verb, row.action, row.url)


def _print_made(made: dict[str, Json], endpoint: Endpoint) -> None:
    url = str(made["gwApiUrl"]).removesuffix("/") + endpoint.path
    _print_created(endpoint.whole_path, endpoint.verb, str(endpoint.action), url)


def _print_created(path: str, verb: str, action: str, url: str) -> None:
    leads_to = f" for action {bold(action)}" if action else ""
    ok(f"created API {path} {verb}{leads_to}")
    print(url)


def _print_rows(rows: list[Operation], full: bool) -> None:
    ok("APIs")
    for line in (row.block() for row in rows) if full else apis.table(rows):
        print(line)


def _secret(client: "Client", name: EntityName) -> Json:
    """Return what the web action *name* wants to be shown, None for nothing. Raises `Failure`."""
    try:
        action = client.action(name, code=False)
    except Failure as failure:
        whole = failure.within(f"Unable to get action '{name}'", shows_usage=True)
        whole.exit_code = GENERAL if failure.status is not None else failure.exit_code
        raise whole from failure
    if annotation(action, "web-export") is not True:
        line = f'wsk action update "{name}" --web true'
        raise Failure(
            f"Action '{name}' is not a web action. Issue '{line}' to convert the action to a web "
            "action.",
            remedy=Remedy(change=Change((), (), first=f"brisk action update {name} --web true")),
        )
    return annotation(action, apis.SECRET)


def _found(session: Session, query: dict[str, Any]) -> list[dict[str, Json]]:
    answer = session.client().apis(session.configuration().gateway_query | query)
    return [checked(each.get("value")) for each in answer]


def _check_part(path: str, verb: str) -> None:
    if path:
        apis.require_path(path)
    if verb:
        apis.require_verb(verb)


def _part(name: str, path: str, verb: str) -> dict[str, str]:
    named = {"basepath": name, "relpath": path, "operation": verb.upper()}
    return {key: value for key, value in named.items() if value}


@contextmanager
def _unable(said: str) -> Iterator[None]:
    """Have what fails be told as the reason of *said*; it ends with 1, whatever the status was."""
    try:
        yield
    except Failure as failure:
        whole = failure.within(said, shows_usage=False)
        whole.exit_code = GENERAL if failure.status is not None else failure.exit_code
        raise whole from failure
