"""Tells a row to a platform and says where it was answered otherwise."""

import base64
import http.client
import json
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from tests.conformance.places import Tenant
from tests.conformance.table import ABSENT, NOTHING, Ask, Exactly, Expected, Row, Typed
from tests.fakes.replay import Heard, by_key, matches
from tests.fakes.terminal import Outcome, in_process

ANSWER_S: Final = 30.0
SETTLE_S: Final = 15.0
"""How long what comes eventually may take."""
_VARIABLES: Final = ("WHISK_APIHOST", "WHISK_AUTH", "WHISK_APIVERSION", "WSK_CLI_DEBUG")


@dataclass
class Teller:
    """Tells one row to the platform at *url*, as the tenant of it."""

    url: str
    own: Tenant
    other: Tenant
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know what stands for the two namespaces."""
        self.names |= {"ns": self.own.namespace, "other": self.other.namespace}
        self.names |= {"auth": self.own.auth, "url": self.url}
        self.names |= {"tenant": self.own.auth.partition(":")[0]}

    def told(self, row: Row, folder: Path) -> list[str]:
        """Return what was answered otherwise than *row* says, a sentence each.

        folder: an empty one, where lines are typed.
        """
        for name, text in row.files.items():
            (folder / name).write_text(self._named(text))
        props = folder / ".wskprops"
        props.write_text(f"APIHOST={self.url}\nAUTH={self.own.auth}\n")
        found: list[str] = []
        with pytest.MonkeyPatch.context() as patch, chdir(folder):
            patch.setenv("WSK_CONFIG_FILE", str(props))
            for name in _VARIABLES:
                patch.delenv(name, raising=False)
            for number, step in enumerate(row.steps, 1):
                said = self._step(step)
                found += [f"{row.title}, step {number}: {each}" for each in said]
        return found

    def _step(self, step: Ask | Typed) -> list[str]:
        once: Callable[[], list[str]] = (
            (lambda: list(self._typed(step)))
            if isinstance(step, Typed)
            else (lambda: list(self._asked(step)))
        )
        ends_s = time.monotonic() + SETTLE_S
        pause = threading.Event()
        while (found := once()) and step.eventually and time.monotonic() < ends_s:
            pause.wait(0.05)
        return found

    def _asked(self, step: Ask) -> Iterator[str]:
        heard = self._send(step)
        what = f"{step.method} {step.path}"
        if heard.status != step.status:
            yield f"{what}: {heard.status}, not {step.status}: {heard.text[:400]!r}"
            return
        if step.save:
            self.names[step.save] = heard.headers.get("x-openwhisk-activation-id", "")
        for name, value in step.has.items():
            if not _is(self._filled(value), heard.headers.get(name)):
                yield f"{what}: {name} is {heard.headers.get(name)!r}, not {value!r}"
        if step.shows is not NOTHING:
            yield from (
                f"{what}: {each}" for each in differing(self._filled(step.shows), heard.body)
            )
        if heard.status >= 400 and isinstance(heard.body, dict) and "code" in heard.body:
            code, transid = heard.body["code"], heard.headers.get("x-request-id")
            yield from () if code == transid else (f"{what}: its code is {code}, not {transid}",)

    def _typed(self, step: Typed) -> Iterator[str]:
        words = shlex.split(self._named(step.line))
        done = in_process(words[1:])
        if done.exit != step.exit:
            yield f"{step.line}: exit {done.exit}, not {step.exit}: {done}"
            return
        if step.save and (id_ := re.search(r"\b[0-9a-f]{32}\b", done.stdout + done.stderr)):
            self.names[step.save] = id_[0]
        is_failure = step.exit != 0
        yield from self._printed(step, "stdout", step.out, done, has_json=not is_failure)
        yield from self._printed(step, "stderr", step.err, done, has_json=is_failure)

    def _printed(
        self, step: Typed, stream: str, expected: Any, done: Outcome, *, has_json: bool
    ) -> Iterator[str]:
        text, wanted = getattr(done, stream), self._filled(expected)
        if has_json and step.shows is not NOTHING:
            begin = re.search(r"^[{\[]", text, re.MULTILINE)
            if begin is None:
                yield f"{step.line}: no JSON in {text!r}"
                return
            text, shown = text[: begin.start()], text[begin.start() :]
            try:
                value = json.loads(shown)
            except ValueError as error:
                yield f"{step.line}: {error} in {shown!r}"
                return
            if shown != json.dumps(value, indent=4, ensure_ascii=False) + "\n":
                yield f"{step.line}: is laid out otherwise: {shown}"
            found = differing(self._filled(step.shows), value)
            yield from (f"{step.line}: {each}" for each in found)
        if not _is(wanted, text):
            yield f"{step.line}: {stream} is {text!r}, not {wanted!r}"

    def _send(self, step: Ask) -> Heard:
        body = step.body
        if body is not NOTHING and not isinstance(body, bytes):
            body = json.dumps(self._filled(body)).encode()
        headers = {} if body is NOTHING else {"Content-Type": "application/json"}
        sent = {**headers, **self._authorization(step.auth), **step.headers}
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_S)
        try:
            connection.request(
                step.method,
                self._named(step.path),
                body=None if body is NOTHING else body,
                headers={name: self._named(value) for name, value in sent.items() if value},
            )
            answer = connection.getresponse()
            read: dict[str, str] = {}
            for name, value in answer.getheaders():
                lower = name.lower()
                read[lower] = f"{read[lower]}, {value}" if lower in read else value
            return Heard(answer.status, read, answer.read())
        finally:
            connection.close()

    def _authorization(self, auth: str | None) -> Mapping[str, str]:
        if auth is None:
            return {}
        known = {"own": self.own, "other": self.other}.get(auth)
        if known is not None:
            auth = "Basic " + base64.b64encode(known.auth.encode()).decode()
        return {"Authorization": auth}

    def _named(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(f"<{name}>", value)
        return text

    def _filled(self, value: Any) -> Any:
        """Return *value* with what its names stand for."""
        match value:
            case str():
                return self._named(value)
            case dict():
                return {self._named(key): self._filled(each) for key, each in value.items()}
            case list():
                return [self._filled(each) for each in value]
            case Exactly():
                return Exactly(self._filled(value.value))
            case re.Pattern():
                return re.compile(self._named(value.pattern), value.flags)
            case _:
                return value


def differing(expected: Expected, actual: Any, where: str = "it") -> Iterator[str]:
    """Yield where *actual* is not what *expected* allows."""
    if isinstance(expected, Exactly):
        yield from differing(expected.value, actual, where)
        named = expected.value if isinstance(expected.value, dict) else actual
        if isinstance(actual, dict) and (more := sorted(actual.keys() - named.keys())):
            yield f"{where} has more: {more}"
    elif isinstance(expected, dict) and isinstance(actual, dict):
        yield from _of_fields(expected, actual, where)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{where} has {len(actual)} entries, not {len(expected)}: {actual}"
            return
        for number, (one, other) in enumerate(zip(by_key(expected), by_key(actual), strict=True)):
            yield from differing(one, other, f"{where}[{number}]")
    elif not _is(expected, actual):
        yield f"{where} is {actual!r}, not {expected!r}"


def _of_fields(
    expected: Mapping[str, Expected], actual: Mapping[str, Any], where: str
) -> Iterator[str]:
    for key, value in expected.items():
        if value is ABSENT:
            if key in actual:
                yield f"{where}.{key} is there: {actual[key]!r}"
        elif key not in actual:
            yield f"{where}.{key} is missing in {actual}"
        else:
            yield from differing(value, actual[key], f"{where}.{key}")


def _is(expected: Expected, actual: Any) -> bool:
    if callable(expected):
        return bool(expected(actual))
    if isinstance(expected, re.Pattern):
        return isinstance(actual, str) and expected.search(actual) is not None
    if expected is None:
        return actual is None
    return matches(expected, actual)
