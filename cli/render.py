"""Documents as lines: rows of lists, summaries, tables of numbers.

Widths and words of OpenWhisk's lists are what scripts match on. Pure: values in, text out.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from cli.jsontext import Json
from cli.shapes import annotation

_STATUS_WORDS: Final = ("success", "application error", "developer error", "internal error")
_LOG_LINE: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+Z +(?:stdout|stderr): (.+)", re.DOTALL
)


def entity_path(entity: Mapping[str, Json]) -> str:
    """Return `/ns/[package/]name` of a listed entity."""
    return f"/{entity.get('namespace', '')}/{entity.get('name', '')}"


def action_row(action: Mapping[str, Json]) -> str:
    """Return one line of a list of actions; every action is private."""
    kind = annotation(action, "exec")
    return f"{entity_path(action):<70} private {kind or ''}".rstrip()


def package_row(package: Mapping[str, Json]) -> str:
    """Return one line of a list of packages."""
    return f"{entity_path(package):<70} {'shared' if package.get('publish') else 'private'}"


def trigger_row(trigger: Mapping[str, Json]) -> str:
    """Return one line of a list of triggers."""
    return f"{entity_path(trigger):<70} private"


def rule_row(rule: Mapping[str, Json]) -> str:
    """Return one line of a list of rules."""
    return f"{entity_path(rule):<70} {'private':<20} {rule.get('status', '')}"


def by_name(entities: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
    """Return *entities* sorted without regard to case, those of the default package first."""

    def order(entity: dict[str, Json]) -> tuple[bool, str]:
        return "/" in str(entity.get("namespace", "")), entity_path(entity).lower()

    return sorted(entities, key=order)


def activation_rows(activations: Sequence[dict[str, Json]]) -> list[str]:
    """Return the table of activations, its header first; no line for none."""
    if not activations:
        return []
    kinds = [str(annotation(one, "kind") or "unknown") for one in activations]
    states = [_status_word(one) for one in activations]
    kind_width = max(len("Kind"), *map(len, kinds))
    status_width = max(len("Status"), *map(len, states))

    def row(time: str, name: str, kind: str, *rest: str) -> str:
        start, duration, status, entity = rest
        return (
            f"{time:<19} {name:<32} {kind:<{kind_width}} {start:<5} {duration:<10} "
            f"{status:<{status_width}} {entity}"
        )

    rows = [row("Datetime", "Activation ID", "Kind", "Start", "Duration", "Status", "Entity")]
    for one, kind, status in zip(activations, kinds, states, strict=True):
        start = "warm" if annotation(one, "initTime") is None else "cold"
        spent = duration_text(int(one.get("duration") or 0))
        time, name = local_time(int(one.get("start") or 0)), str(one.get("activationId", ""))
        rows.append(row(time, name, kind, start, spent, status, _activation_entity(one)))
    return rows


def local_time(unix_ms: int) -> str:
    """Return *unix_ms* on this machine's clock."""
    return datetime.fromtimestamp(unix_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")


def zoned_time(unix_ms: int) -> str:
    """Return *unix_ms*, in whole seconds, on this machine's clock and with its zone."""
    return datetime.fromtimestamp(unix_ms // 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S %z %Z")


def duration_text(duration_ms: int) -> str:
    """Return a duration as Go prints it: `0s`, `123ms`, `3.144s`, `1m2.5s`, `1h0m0s`."""
    if duration_ms == 0:
        return "0s"
    if duration_ms < 1000:
        return f"{duration_ms}ms"
    minutes, rest_ms = divmod(duration_ms, 60_000)
    seconds = f"{Decimal(rest_ms) / 1000:f}s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def stripped_log(line: str) -> str:
    """Return a log line without its time and stream; what does not look like one, unchanged."""
    match = _LOG_LINE.fullmatch(line)
    return match.group(1) if match else line


def summary(noun: str, entity: Mapping[str, Json]) -> list[str]:
    """Return what an action, trigger or package is for, in two lines; *noun* is what it is."""
    described = annotation(entity, "parameters")
    names = {str(one["name"]) for one in described or [] if isinstance(one, dict) and "name" in one}
    bound = {str(one["key"]) for one in entity.get("parameters") or [] if "key" in one}
    star = "**" if annotation(entity, "final") is True else "*"
    listed = [star + name if name in bound else name for name in sorted(names | bound)]
    description = annotation(entity, "description") or _described_by(sorted(names | bound))
    return [
        f"{noun} {entity_path(entity)}" + (f": {description}" if description else ""),
        f"   (parameters: {', '.join(listed) or 'none defined'})",
    ]


def package_summary(package: Mapping[str, Json]) -> list[str]:
    """Return what a package is for, then the same of each action and feed in it."""
    inside = entity_path(package).removeprefix("/")
    lines = summary("package", package)
    for noun, members in ((" action", package.get("actions")), (" feed  ", package.get("feeds"))):
        for member in members or []:
            lines += summary(noun, {**member, "namespace": inside})
    return lines


def rule_summary(rule: Mapping[str, Json]) -> list[str]:
    """Return whether a rule is active, in two lines."""
    return [f"rule {entity_path(rule)}", f"   (status: {rule.get('status', '')})"]


def activation_summary(activation: Mapping[str, Json]) -> str:
    """Return how an activation ended, in one line."""
    response = activation.get("response") or {}
    when = zoned_time(int(activation.get("end") or 0))
    return f"activation result for '{entity_path(activation)}' ({response.get('status')} at {when})"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: int) -> list[str]:
    """Return a table without borders; the last *numbers* columns are right-aligned."""
    widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
    texts = len(header) - numbers
    return [
        "  ".join(
            f"{cell:>{width}}" if position >= texts else f"{cell:<{width}}"
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]


def _described_by(names: Sequence[str]) -> str:
    if not names:
        return ""
    head, last = names[:-1], names[-1]
    listed = f"{', '.join(head)} and {last}" if head else last
    return f"Returns a result based on parameter{'s' if head else ''} {listed}"


def _status_word(activation: Mapping[str, Json]) -> str:
    code = activation.get("statusCode") or 0
    known = isinstance(code, int) and 0 <= code < len(_STATUS_WORDS)
    return _STATUS_WORDS[code] if known else "unknown"


def _activation_entity(activation: Mapping[str, Json]) -> str:
    namespace = _shortened(str(activation.get("namespace", "")), 20)
    name = _shortened(str(activation.get("name", "")), 30)
    return f"{namespace}/{name}:{_shortened(str(activation.get('version', '')), 20)}"


def _shortened(text: str, most: int) -> str:
    """Return *text* with its middle left out where it has more than *most* characters."""
    if len(text) <= most:
        return text
    kept = most - len("...")
    return f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"
