"""Entities of projects, with what they have when nothing is said of it."""

from typing import Any

from cli.project.entity import Entity, Kind


def entity(kind: Kind, name: str, /, **fields: Any) -> Entity:
    usual: dict[str, Any] = {"annotations": {}}
    if kind is not Kind.RULE:
        usual["parameters"] = {}
    if kind is Kind.ACTION:
        usual |= {"kind": "python:3.11", "code": "pass", "limits": {}}
    if kind is Kind.SEQUENCE:
        usual["components"] = ["/_/a"]
    return Entity(kind, name, usual | fields)
