from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cli.commands.usage import MB_MS_IN_GB_S, budget_lines, gb_seconds, table
from cli.jsontext import decode
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

ROWS: list[dict[str, object]] = [
    {"action": "guest/hello", "activations": 1200, "billed_ms": 3000, "mb_ms": 768_000},
    {"action": "guest/pk/x", "activations": 1, "billed_ms": 10, "mb_ms": 1280},
]
TOTAL: dict[str, object] = {"activations": 1201, "billed_ms": 3010, "mb_ms": 769_280}
ANSWER = {
    "from": "2026-11-01T00:00:00Z",
    "to": "2026-12-01T00:00:00Z",
    "by": "action",
    "rows": ROWS,
    "total": TOTAL,
}


def test_numbers_stand_under_each_other(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer("GET /api/brisk/v1/namespaces/_/usage", ANSWER)
    assert line("brisk usage --from 2026-11-01 --to 2026-12-01").stdout.splitlines() == [
        "action       activations  billed ms     GB-s",
        "guest/hello         1200       3000  0.75000",
        "guest/pk/x             1         10  0.00125",
        "total               1201       3010  0.75125",
    ]
    assert api.targets == [
        "GET /api/brisk/v1/namespaces/_/usage?by=action&from=2026-11-01&to=2026-12-01"
    ]


def test_a_budget_is_shown_below(line: Run, api: FakeApi, configured: Path) -> None:
    budget = {
        "text": "9.00 EUR of 10.00 EUR", "every": "month", "percent": 90, "level": "warned",
        "resets": "2025-12-01T00:00:00Z",
    }  # fmt: skip
    api.answer("GET /api/brisk/v1/namespaces/_/usage", ANSWER | {"budget": budget})
    assert line("brisk usage").stdout.splitlines()[-2:] == [
        "",
        "budget: 9.00 EUR of 10.00 EUR this month (90 %, warned); it begins anew at "
        "2025-12-01T00:00:00Z",
    ]
    assert budget_lines({"budget": budget | {"level": "within"}})[1].startswith(
        "budget: 9.00 EUR of 10.00 EUR this month (90 %); "
    )


def test_programs_get_the_answer_itself(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer("GET /api/brisk/v1/namespaces/guest/usage?by=day", ANSWER)
    assert decode(line("brisk usage /guest --by day --json").stdout) == ANSWER


def test_nothing_was_used() -> None:
    total = {"activations": 0, "billed_ms": 0, "mb_ms": 0}
    assert table({"rows": [], "total": total}) == [
        "period  activations  billed ms  GB-s",
        "total             0          0     0",
    ]


def test_periods_and_actions_have_their_columns() -> None:
    row = {"period": "2026-11-01", "action": "g/a", "activations": 1, "billed_ms": 1, "mb_ms": 1}
    assert table({"rows": [row], "total": row})[:2] == [
        "period      action  activations  billed ms             GB-s",
        "2026-11-01  g/a               1          1  0.0000009765625",
    ]


def test_a_grouping_that_is_none(line: Run, configured: Path, api: FakeApi) -> None:
    refused = line("brisk usage --by year")
    assert refused.exit == 1
    assert refused.stderr.startswith("error: Invalid argument 'year' for --by flag")
    assert api.asked == []


@given(st.integers(min_value=0, max_value=10**30))
def test_gb_seconds_are_exact(mb_ms: int) -> None:
    assert Fraction(gb_seconds(mb_ms)) * MB_MS_IN_GB_S == mb_ms


def test_large_sums_are_shown_digit_for_digit() -> None:
    total = {"activations": 1, "billed_ms": 1, "mb_ms": 1_024_000 * 10**30 + 1}
    assert table({"rows": [], "total": total})[-1].endswith(f" {10**30}.0000009765625")


CHARGES = {
    "columns": ["BilledCost", "ChargeDescription", "Tags"],
    "rows": [{"BilledCost": "0.1", "ChargeDescription": 'a, "b"', "Tags": None}],
}


def test_costs_have_a_column_where_there_are_prices(
    line: Run, api: FakeApi, configured: Path
) -> None:
    rows = [row | {"cost_micros": 12} for row in ROWS]
    total = TOTAL | {"cost_micros": 12_000_024}
    priced = {**ANSWER, "rows": rows, "total": total, "currency": "EUR"}
    api.answer("GET /api/brisk/v1/namespaces/_/usage", priced)
    assert line("brisk usage").stdout.splitlines()[::3] == [
        "action       activations  billed ms     GB-s        EUR",
        "total               1201       3010  0.75125  12.000024",
    ]


def test_an_export_is_csv_or_json(line: Run, api: FakeApi, configured: Path, home: Path) -> None:
    api.answer("GET /api/brisk/v1/namespaces/_/usage/focus", CHARGES)
    csv = 'BilledCost,ChargeDescription,Tags\r\n0.1,"a, ""b""",\r\n'
    assert line("brisk usage export --from 2026-11-01").stdout.replace("\r", "") == csv.replace(
        "\r", ""
    )
    assert api.targets == ["GET /api/brisk/v1/namespaces/_/usage/focus?from=2026-11-01"]
    assert decode(line("brisk usage export --format json").stdout) == CHARGES["rows"]
    assert "bill.csv: 1 charges" in line("brisk usage export -f bill.csv").stdout
    assert (home / "bill.csv").read_bytes() == csv.encode()
    assert line("brisk usage export -f no/where").exit == 1
    assert line("brisk usage export --format xml").exit == 1
    assert line("brisk usage export a b").exit == 1


def test_a_bill_is_verified(line: Run, api: FakeApi, configured: Path) -> None:
    sums = {"activations": 1, "billed_ms": 2, "mb_ms": 256}
    none = {"activations": 0, "billed_ms": 0, "mb_ms": 0}
    answer = {"exact": True, "billed": sums, "recomputed": sums, "dropped": none}
    api.answer("GET /api/brisk/v1/namespaces/guest/usage/verify", answer)
    ran = line("brisk usage verify /guest")
    assert (ran.exit, ran.stdout.splitlines()[-1]) == (
        0, "ok: what is billed is the sum of the records",
    )  # fmt: skip
    api.answer(
        "GET /api/brisk/v1/namespaces/other/usage/verify",
        {**answer, "recomputed": none, "exact": False},
    )
    ran = line("brisk usage verify other")
    assert (ran.exit, "ok:" in ran.stdout) == (1, False)
    assert decode(line("brisk usage verify other --json").stdout)["exact"] is False


def test_a_namespace_may_be_called_like_a_verb(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer("GET /api/brisk/v1/namespaces/export/usage", ANSWER)
    assert line("brisk usage /export").stdout.endswith("0.75125\n")
