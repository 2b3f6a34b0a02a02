"""Names: units where there are quantities, and no trace of the machine that something was made on.

The words that must not occur are put together here, so that this file does not hold them.
"""

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from common.settings import Settings, SettingsPlace
from tests.house import tree

MACHINE_PATHS = ("/" + "work/", "/" + "opt/wheels", "/tmp/" + "brief")
HOSTS = (
    "files.python" + "hosted.org", "py" + "pi.org", "registry.npm" + "js.org", "ghcr" + ".io",
    "quay" + ".io", "docker" + ".io", "proxy.go" + "lang.org",
)  # fmt: skip
TOOLS = ("anth" + "ropic", "cla" + "ude", "chat" + "gpt", "co" + "pilot", "open" + "ai")
RECORDED = "tests/data/"
"""What real clients and servers said is kept as they said it."""

UNITS = ("_ms", "_s", "_h", "_days", "_mb", "_bytes", "_per_minute")
COUNTS = {
    "port", "pids", "stem_cells", "sequence_length", "min_concurrency", "max_concurrency",
    "networks_ready", "max_templates",
    "concurrent_invocations", "max_waiting", "max_starts", "max_prewarmed", "flush_records",
    "replication", "capacity", "prefetch", "bulk_records", "bulks_in_flight",
    "id", "count", "max_compositions", "max_apis", "max_keys",
    "max_streams", "max_streams_per_namespace", "max_firings", "max_sources",
    "sample_share", "most_namespaces",
}  # fmt: skip


OTHER_VARIABLES = {"BRISK_DEV", "BRISK_REQUIRE_SERVICES", "BRISK_TEST_WORKERS"}
"""Of scripts for development, and of tests."""


@pytest.mark.parametrize("words", [MACHINE_PATHS, HOSTS, TOOLS], ids=["paths", "hosts", "tools"])
def test_no_file_speaks_of_where_it_was_made(words: tuple[str, ...]) -> None:
    wanted = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    found = [
        f"{tree.shown(path)}: {match.group()}"
        for path in tree.files()
        if not tree.shown(path).startswith(RECORDED)
        and (match := wanted.search(path.read_bytes().decode(errors="replace")))
    ]
    assert not found


def test_a_quantity_among_the_settings_ends_in_its_unit() -> None:
    bare = [name for name in _numbers(Settings) if not name.endswith(UNITS) and name not in COUNTS]
    assert not bare, "add the unit to the name; a count goes into COUNTS"


def test_no_count_is_listed_that_is_not_there() -> None:
    assert set(_numbers(Settings)) >= COUNTS


def test_every_setting_is_explained() -> None:
    unexplained = [name for name, text in _meanings(Settings) if not text or not text.endswith(".")]
    assert not unexplained


def test_every_variable_that_is_spoken_of_is_a_setting() -> None:
    known = {*_variables(Settings), *_variables(SettingsPlace), *OTHER_VARIABLES}
    groups = {name.rpartition("__")[0] + "__" for name in known if "__" in name}
    wrong = [
        f"{tree.shown(path)}: {name}"
        for path in tree.files()
        if not tree.shown(path).startswith("tests/")  # where wrong ones are tried
        for name in re.findall(r"\bBRISK_[A-Z][A-Z0-9_]*", path.read_text(errors="replace"))
        if name not in known | groups
    ]
    assert not wrong


def _numbers(group: type[BaseModel]) -> Iterator[str]:
    for name, field in group.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _numbers(field.annotation)
        elif field.annotation in (int, float, int | None, float | None):
            yield name


def _variables(group: type[BaseModel], prefix: str = "BRISK_") -> Iterator[str]:
    for name, field in group.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper()


def _meanings(group: type[BaseModel]) -> Iterator[tuple[str, str | None]]:
    for name, field in group.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _meanings(field.annotation)
        else:
            yield name, field.description
