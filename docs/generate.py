"""Writes `docs/reference/` from the declarations, so that it cannot say anything else.

Also the state machines in `docs/lifecycle.md`, whose other words are written by hand.

`python -m docs.generate` writes, `python -m docs.generate --check` only tells what is stale, with
exit code 1. `tests/house/test_docs.py` does the same on every run.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import cli
import common
import controller
import invoker
from cli.upkeep import archive
from common import metrics, namespace_metrics
from common.errors import BriskError
from common.settings import Settings, SettingsPlace
from common.telemetry import span_metrics
from controller.edge import errors
from docs import states, surface

DOCS: Final = Path(__file__).parent
_ORIGIN: Final = (
    "<!-- Written by docs/generate.py: change the declarations, then `make docs`. -->\n"
)
_BOUNDS: Final = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def pages() -> dict[str, str]:
    """Return every page that is written here, by its path from the folder of documents."""
    return {
        "reference/settings.md": settings(),
        "reference/metrics.md": metric_list(),
        "reference/errors.md": error_list(),
        "reference/rest.md": surface.routes(),
        "reference/cli.md": surface.commands(_ORIGIN),
        "reference/backup.md": backup(),
        "lifecycle.md": states.inserted((DOCS / "lifecycle.md").read_text()),
    }


def settings() -> str:
    """Return the page of all settings: one section per group, in the order of the declaration."""
    lines = [
        "# Settings",
        _ORIGIN,
        "Set in the environment, or in the file that `BRISK_SETTINGS` names. A flag of a command "
        "beats the environment, the environment beats the file, the file beats the default. A name "
        "or a value that cannot be is said when a process starts, and nothing starts.",
        "",
        "In the file, which is TOML, a group is a table and names are in small letters:",
        "",
        "```toml",
        'data = "/var/lib/brisk/controller0"',
        "",
        "[couchdb]",
        'url = "http://couchdb:5984"',
        'user = "brisk"',
        'password = "..."',
        "```",
        "",
        "Keep a file with a password readable by the platform's user alone.",
    ]
    groups: list[tuple[str, str, type[BaseModel]]] = []
    alone = [_setting("BRISK_", name, field) for name, field in SettingsPlace.model_fields.items()]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            groups.append((name, f"BRISK_{name.upper()}__", field.annotation))
        else:
            alone.append(_setting("BRISK_", name, field))
    lines += ["", *_SETTING_HEAD, *alone]
    for name, prefix, group in groups:
        rows = [_setting(prefix, inner, field) for inner, field in group.model_fields.items()]
        lines += ["", f"## {name}", inspect.getdoc(group) or "", "", *_SETTING_HEAD, *rows]
    return "\n".join(lines) + "\n"


def backup() -> str:
    """Return the page of the file that a backup is, as its module says it."""
    return f"# The file of a backup\n{_ORIGIN}\n{inspect.getdoc(archive)}\n"


_SETTING_HEAD: Final = ["| variable | default | values | meaning |", "|---|---|---|---|"]


def _setting(prefix: str, name: str, field: FieldInfo) -> str:
    default = "—" if field.default is None else f"`{_plain(field.default)}`"
    meaning = " ".join((field.description or "").split())
    return f"| `{prefix}{name.upper()}` | {default} | {_values(field)} | {meaning} |"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    kinds = get_args(field.annotation) or (field.annotation,)
    names = [_KINDS.get(kind, kind.__name__) for kind in kinds if kind not in _NO_KINDS]
    bounds = [
        f"{sign} {getattr(rule, bound)}"
        for rule in field.metadata
        for bound, sign in _BOUNDS.items()
        if getattr(rule, bound, None) is not None
    ]
    return ", ".join([" or ".join(names), *bounds])


_NO_KINDS: Final = (type(None), ...)
_KINDS: Final = {int: "whole number", float: "number", bool: "`true`, `false`", str: "text"} | {
    Path: "path"
}


def metric_list() -> str:
    """Return the page of all metrics, with the values that labels can have."""
    for others in (namespace_metrics.NAMESPACES, span_metrics.SPANS):
        assert others is not None, "those of namespaces and of spans are declared beside the others"
    lines = [
        "# Metrics",
        _ORIGIN,
        "Served at `/metrics` in Prometheus' text format. All series exist from the start, but "
        "those of namespaces: of the busiest each has its own, and all others are `_other`.",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for family in metrics.REGISTRY.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        values: dict[str, dict[str, None]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault(label, {})[value] = None
        shown = "; ".join(
            f"{label}: {', '.join(f'`{value}`' for value in each)}"
            for label, each in values.items()
            if label != "le"  # the buckets of a histogram
        )
        lines.append(f"| `{name}` | {family.type} | {shown or '—'} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def error_list() -> str:
    """Return the page of all errors: what a client is told, then what an operator is."""
    told = sorted(errors.ANSWERS.items(), key=lambda item: (item[1].status, item[0].__name__))
    lines = [
        "# Errors",
        _ORIGIN,
        'A client is told `{"error": text, "code": transaction id}`. Words in braces are filled '
        f"in. What is not listed here is a fault of the platform, status 500: *{errors.INTERNAL}*",
        "",
        "| status | error | text |",
        "|---|---|---|",
    ]
    lines += [
        f"| {answer.status} | `{error.__name__}` | {_cell(answer.text or _words(error))} |"
        for error, answer in told
    ]
    lines += [
        "",
        "## Inside the platform",
        "Seen in the log, at the start of the platform, or in the record of an activation.",
        "",
        "| error | where | text |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{error.__name__}` | `{error.__module__}` | {_cell(_words(error))} |"
        for error in sorted(_every_error(), key=lambda each: (each.__module__, each.__name__))
        if error not in errors.ANSWERS
    ]
    return "\n".join(lines) + "\n"


def _words(error: type[BaseException]) -> str:
    return inspect.cleandoc(error.__doc__ or "").split("\n\n")[0]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _every_error() -> Iterator[type[BriskError]]:
    """Yield each error that is raised itself, not only through those derived from it."""
    for part in (common, controller, invoker, cli):
        for module in _modules(part):
            for _, value in inspect.getmembers(module, inspect.isclass):
                if issubclass(value, BriskError) and value.__module__ == module.__name__:
                    yield value


def _modules(part: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(part.__path__, f"{part.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def stale(folder: Path = DOCS) -> list[str]:
    """Return the paths of pages below *folder* that say something else than the declarations."""
    return [
        name
        for name, text in pages().items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
    ]


def main() -> int:
    """Write the pages, or check them; return the exit code."""
    names = stale()
    if "--check" in sys.argv[1:]:
        for name in names:
            sys.stderr.write(f"docs/{name} is stale: make docs\n")
        return 1 if names else 0
    (DOCS / "reference").mkdir(exist_ok=True)
    for name in names:
        (DOCS / name).write_text(pages()[name])
        sys.stderr.write(f"wrote docs/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
