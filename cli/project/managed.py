"""Managed projects: the annotation by which everything of a project is found again. Pure.

wskdeploy writes and reads the same: `{projectName, projectHash, file, projectDeps}`. The hash is
its own, so that both tools tell the same manifest by the same digits.
"""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha1
from typing import Final

from cli.jsontext import Json
from cli.project.entity import MANAGED, Entity, Kind

_LARGEST: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


def annotation_of(project: str, file: str, content: bytes) -> Json:
    """Return what marks everything of *project*; *content* is of its manifest *file*."""
    return {
        "projectName": project,
        "projectHash": hash_of(content),
        "file": file,
        "projectDeps": [],
    }


def hash_of(content: bytes) -> str:
    """Return the digits by which a version of a manifest is told, as wskdeploy makes them."""
    size = len(content)
    # Its header holds the character of that number, and the mark of no character for no such one.
    is_character = size <= _LARGEST and size not in _SURROGATES
    header = f"OpenWhisk{chr(size) if is_character else chr(0xFFFD)}golang\0"
    return sha1(header.encode() + content, usedforsecurity=False).hexdigest()


def marked(entities: Iterable[Entity], annotation: Json) -> tuple[Entity, ...]:
    """Return *entities* as those of a project; APIs have no annotations."""
    return tuple(
        one
        if one.kind is Kind.API
        else replace(
            one,
            fields={
                **one.fields,
                "annotations": {**one.table("annotations"), MANAGED: annotation},
            },
        )
        for one in entities
    )
