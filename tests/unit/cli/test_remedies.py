"""What is said under an error of the server: which limit was reached, and when to come again."""

from pathlib import Path

import pytest

from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

TEXT = "Too many requests in the last minute (count: 3, allowed: 2)."


@pytest.mark.parametrize(
    ("headers", "lines"),
    [
        (
            {"X-Brisk-Limit": "invocationsPerMinute", "Retry-After": "17"},
            ["why: the limit invocationsPerMinute is reached", "fix: try again in 17 s"],
        ),
        (
            {"X-Brisk-Limit": "invocationsPerMinute"},
            ["why: the limit invocationsPerMinute is reached", "fix: ask the operator for more"],
        ),
        (
            {},
            ["why: the namespace has used up its share of this minute",
             "fix: try again in a minute"],
        ),
    ],
)  # fmt: skip
def test_a_refusal_for_a_limit(
    line: Run, api: FakeApi, configured: Path, headers: dict[str, str], lines: list[str]
) -> None:
    body = {"error": TEXT, "code": "tid42"}
    api.answer("POST actions/hello", body, 429, headers)
    assert line("brisk action invoke hello").stderr.splitlines()[-2:] == lines
    assert "why:" not in line("wsk action invoke hello").stderr
