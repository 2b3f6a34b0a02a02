"""What is in `whisk.system`: each package, its actions, and what people are told of them.

Source: the catalog of OpenWhisk, whose names and parameters these are. The code is in `code/`, one
file for each action; feeds share one, which passes on what it is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from common.ids import Namespace

NAMESPACE: Final = Namespace("whisk.system")
FEED: Final = "feeds/feed.py"
ECHOED: Final = ("cat", "head", "sort", "split")
"""Of `utils`, and among the samples as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAction:
    """One action. *parameters*: what it takes, by name; those with a star are required."""

    name: str
    description: str
    code: str
    """Its file, from the folder `code`."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    is_feed: bool = False

    @property
    def annotations(self) -> dict[str, Any]:
        """What a list and `wsk package get --summary` show."""
        shown: dict[str, Any] = {
            "description": self.description,
            "parameters": [
                {
                    "name": name.rstrip("*"),
                    "required": name.endswith("*"),
                    "description": meaning,
                }
                for name, meaning in self.parameters.items()
            ],
        }
        return shown | {"feed": True} if self.is_feed else shown

    @property
    def source(self) -> str:
        """Its code."""
        return (files("controller") / "system" / "code" / self.code).read_text("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPackage:
    """One package."""

    name: str
    description: str
    actions: tuple[SystemAction, ...]


_SCHEDULE: Final = {
    "startDate": "No firing before: ISO 8601, or milliseconds",
    "stopDate": "No firing after: ISO 8601, or milliseconds",
    "trigger_payload": "What each firing carries: an object",
    "jitter": "Each firing comes up to so many seconds later",
    "missed": "What becomes of firings that were missed: skip, one or all",
}


def _feed(name: str, description: str, parameters: Mapping[str, str]) -> SystemAction:
    return SystemAction(
        name=name, description=description, code=FEED, parameters=parameters, is_feed=True
    )


ALARMS: Final = SystemPackage(
    name="alarms",
    description="Alarms: triggers that fire by the clock",
    actions=(
        _feed(
            "alarm",
            "Fires a trigger by a cron pattern",
            {
                "cron*": "Five fields, or six that begin with seconds",
                "timezone": "A name of IANA's, such as Europe/Berlin; UTC otherwise",
                "strict": "True for no jitter",
                "maxTriggers": "How many firings at most",
            }
            | _SCHEDULE,
        ),
        _feed(
            "interval",
            "Fires a trigger every so many minutes",
            {"minutes*": "A whole number, one at least"} | _SCHEDULE,
        ),
        _feed(
            "once",
            "Fires a trigger once",
            {
                "date*": "When: ISO 8601, or milliseconds",
                "deleteAfterFire": "true deletes the trigger then, rules its rules, too",
                "trigger_payload": _SCHEDULE["trigger_payload"],
                "missed": _SCHEDULE["missed"],
            },
        ),
    ),
)

WEBHOOKS: Final = SystemPackage(
    name="webhooks",
    description="Webhooks: triggers that fire when others call",
    actions=(
        _feed(
            "hook",
            "Makes an address that fires a trigger when it is called with a signature",
            {
                "secret*": "What senders sign with",
                "kind": "How they do: generic, github, slack or stripe",
                "header": "Of a generic one, which header has the signature: X-Signature",
                "timestampHeader": "Of a generic one, which header has the moment, if it is signed",
                "window": "How many seconds the moment may be away: 300",
            },
        ),
    ),
)
_CHANGES: Final = _feed(
    "changes",
    "Fires a trigger when a document of a database changes",
    {
        "dbname*": "The database",
        "host*": "Where it is; the operator lists where it may be",
        "port": "443, or 80 for http",
        "protocol": "https or http: https",
        "username": "Who reads",
        "password": "What they show",
        "filter": "A function that says which changes count: DESIGN/FUNCTION",
        "query_params": "What that function is given: an object",
        "since": "Where to begin: now",
        "maxTriggers": "How many firings at most",
    },
)
COUCHDB: Final = SystemPackage(
    name="couchdb", description="CouchDB: triggers that fire on changes", actions=(_CHANGES,)
)
CLOUDANT: Final = SystemPackage(
    name="cloudant", description="Cloudant: triggers that fire on changes", actions=(_CHANGES,)
)
_FORMS: Final = {
    "isJSONData": "True to have values that are JSON as what they say",
    "isBinaryKey": "True to have keys as base64",
    "isBinaryValue": "True to have values as base64",
}
MESSAGING: Final = SystemPackage(
    name="messaging",
    description="Kafka: triggers that fire on messages",
    actions=(
        _feed(
            "kafkaFeed",
            "Fires a trigger with the messages of a topic",
            {
                "brokers*": "HOST:PORT each; the operator lists where they may be",
                "topic*": "What to read",
            }
            | _FORMS,
        ),
        _feed(
            "messageHubFeed",
            "Fires a trigger with the messages of a topic, of brokers with users",
            {
                "kafka_brokers_sasl*": "HOST:PORT each; the operator lists where they may be",
                "user*": "Who reads",
                "password*": "What they show",
                "topic*": "What to read",
            }
            | _FORMS,
        ),
    ),
)


def _util(name: str, description: str, **parameters: str) -> SystemAction:
    # `field_name_` is required: a star is in no name of Python.
    named = {key.replace("_", "*"): meaning for key, meaning in parameters.items()}
    return SystemAction(
        name=name, description=description, code=f"utils/{name}.py", parameters=named
    )


UTILS: Final = SystemPackage(
    name="utils",
    description="Building blocks that format and assemble data",
    actions=(
        _util("echo", "Returns the input", payload="Any JSON entity"),
        _util("cat", "Concatenates input into a string", lines_="An array of strings or numbers"),
        SystemAction(
            name="smash",
            description="Nests all properties under given property",
            code="utils/smash.py",
            parameters={"$fieldName*": "Name of property to nest object under"},
        ),
        _util(
            "split",
            "Split a string into an array",
            payload_="A string",
            separator="A regular expression; the end of a line otherwise",
        ),
        _util("sort", "Sorts an array", lines_="An array of strings or numbers"),
        _util("head", "Extract prefix of an array", lines_="An array", num="How many"),
        _util("date", "Current date and time"),
        _util("namespace", "Returns the namespace of who invokes this action"),
        _util(
            "hosturl",
            "Returns the URL to activate an action or trigger",
            path_="The action, in its package",
            web="True for web actions",
            ext="Extension of a web action",
            trigger="True for a trigger",
        ),
    ),
)


def _sample(name: str, description: str, /, **parameters: str) -> SystemAction:
    return SystemAction(
        name=name, description=description, code=f"samples/{name}.py", parameters=parameters
    )


SAMPLES: Final = SystemPackage(
    name="samples",
    description="A suite of simple actions to help you get started",
    actions=(
        _sample("greeting", "Returns a friendly greeting", name="Whom to greet", place="Where"),
        _sample("helloWorld", "Demonstrates logging facilities", payload="Whom to greet"),
        _sample("printParams", "Prints the parameters, sorted by name"),
        _sample("wordCount", "Count words in a string", payload="A string"),
        _sample("curl", "Fetches a page", payload="A host, or an address"),
        *(each for each in UTILS.actions if each.name in ECHOED),
    ),
)
PACKAGES: Final = (ALARMS, WEBHOOKS, COUCHDB, CLOUDANT, MESSAGING, UTILS, SAMPLES)


def digest(kind: str) -> str:
    """Return what changes whenever anything that is installed does. *kind*: of all actions."""
    text = repr(
        [kind, *((each, each.source) for one in PACKAGES for each in one.actions), PACKAGES]
    )
    return sha256(text.encode()).hexdigest()
