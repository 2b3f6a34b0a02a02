"""When patterns fire, on days on which clocks are changed, and on days that never come."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from controller.events.cron import Cron, NoSuchZone, NotAPattern, has_seconds


def fired(pattern: str, zone: str, since: str, until: str) -> list[str]:
    """Return the firings in (since, until), as the clock of *zone* shows them, with its shift."""
    cron, at_ms = Cron(pattern, zone), ms(since, zone)
    found: list[str] = []
    while True:
        following = cron.after(at_ms)
        if following is None or following >= ms(until, zone):
            return found
        assert following > at_ms
        at_ms = following
        found.append(datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).strftime("%d %H:%M%z"))


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
HOWE, SAO_PAULO, KOLKATA = "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata"
CHANGES = [
    # Berlin: 02:00 +1 → 03:00 +2 on 29 March 2026, 03:00 +2 → 02:00 +1 on 25 October.
    (
        "30 2 * * *", BERLIN, "2026-03-27T12:00", "2026-03-31T00:00",
        ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"],
    ),
    (
        "0 30 2 * * *", BERLIN, "2026-03-28T12:00", "2026-03-30T12:00",
        ["29 03:00+0200", "30 02:30+0200"],
    ),
    (
        "0,20,40 2 * * *", BERLIN, "2026-03-28T12:00", "2026-03-30T02:10",
        ["29 03:00+0200", "30 02:00+0200"],
    ),
    (
        "30 2 * * *", BERLIN, "2026-10-24T12:00", "2026-10-26T12:00",
        ["25 02:30+0200", "26 02:30+0100"],
    ),
    (
        "0 30 2 * * *", BERLIN, "2026-10-24T12:00", "2026-10-26T12:00",
        ["25 02:30+0200", "26 02:30+0100"],
    ),
    (
        "0 * * * *", BERLIN, "2026-10-25T00:30", "2026-10-25T04:30",
        ["25 01:00+0200", "25 02:00+0200", "25 02:00+0100", "25 03:00+0100", "25 04:00+0100"],
    ),
    (
        "0 * * * *", BERLIN, "2026-03-29T00:30", "2026-03-29T04:30",
        ["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"],
    ),
    (
        "*/30 2 * * *", BERLIN, "2026-10-24T12:00", "2026-10-25T12:00",
        ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100"],
    ),
    ("*/30 2 * * *", BERLIN, "2026-03-28T12:00", "2026-03-30T01:00", []),
    # New York: 02:00 −5 → 03:00 −4 on 8 March 2026, 02:00 −4 → 01:00 −5 on 1 November.
    (
        "30 2 * * *", NEW_YORK, "2026-03-07T12:00", "2026-03-09T12:00",
        ["08 03:00-0400", "09 02:30-0400"],
    ),
    (
        "30 1 * * *", NEW_YORK, "2026-10-31T12:00", "2026-11-02T12:00",
        ["01 01:30-0400", "02 01:30-0500"],
    ),
    (
        "30 * * * *", NEW_YORK, "2026-11-01T00:00", "2026-11-01T03:00",
        ["01 00:30-0400", "01 01:30-0400", "01 01:30-0500", "01 02:30-0500"],
    ),
    # Lord Howe: half an hour. 02:00 +10:30 → 02:30 +11 on 4 October 2026,
    # 02:00 +11 → 01:30 +10:30 on 5 April.
    (
        "15 2 * * *", HOWE, "2026-10-03T12:00", "2026-10-05T12:00",
        ["04 02:30+1100", "05 02:15+1100"],
    ),
    (
        "45 1 * * *", HOWE, "2026-04-04T12:00", "2026-04-06T12:00",
        ["05 01:45+1100", "06 01:45+1030"],
    ),
    (
        "0 * * * *", HOWE, "2026-10-04T00:30", "2026-10-04T04:30",
        ["04 01:00+1030", "04 03:00+1100", "04 04:00+1100"],
    ),
    (
        "*/15 * * * *", HOWE, "2026-04-05T01:20", "2026-04-05T02:20",
        [
            "05 01:30+1100", "05 01:45+1100", "05 01:30+1030", "05 01:45+1030", "05 02:00+1030",
            "05 02:15+1030",
        ],
    ),
    # São Paulo, until 2019: midnight is skipped. 00:00 −3 → 01:00 −2 on 4 November 2018,
    # 00:00 −2 → 23:00 −3 of the day before, on 17 February.
    (
        "0 0 * * *", SAO_PAULO, "2018-11-03T12:00", "2018-11-06T00:00",
        ["04 01:00-0200", "05 00:00-0200"],
    ),
    ("*/20 0 * * *", SAO_PAULO, "2018-11-03T12:00", "2018-11-05T00:10", ["05 00:00-0200"]),
    (
        "30 23 * * *", SAO_PAULO, "2019-02-16T12:00", "2019-02-18T12:00",
        ["16 23:30-0200", "17 23:30-0300"],
    ),
    (
        "0 * * * *", SAO_PAULO, "2019-02-16T21:30", "2019-02-17T01:30",
        [
            "16 22:00-0200", "16 23:00-0200", "16 23:00-0300", "17 00:00-0300", "17 01:00-0300",
        ],
    ),
    # Kolkata never changes its clocks, and is half an hour off.
    (
        "30 2 * * *", KOLKATA, "2026-03-28T12:00", "2026-03-30T12:00",
        ["29 02:30+0530", "30 02:30+0530"],
    ),
    (
        "0 */12 * * *", KOLKATA, "2026-10-25T01:00", "2026-10-26T01:00",
        ["25 12:00+0530", "26 00:00+0530"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "zone", "since", "until", "expected"), CHANGES)
def test_what_fires_when_clocks_are_changed(
    pattern: str, zone: str, since: str, until: str, expected: list[str]
) -> None:
    assert fired(pattern, zone, since, until) == expected


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, HOWE, SAO_PAULO, KOLKATA, "UTC"])
@pytest.mark.parametrize("year", [2018, 2026])
def test_a_time_of_day_comes_once_a_day_all_year_and_a_beat_never_pauses(
    zone: str, year: int
) -> None:
    for pattern in ("30 2 * * *", "0 0 * * *", "15 30 1 * * *"):
        found = fired(pattern, zone, f"{year}-01-01T12:00", f"{year + 1}-01-01T12:00")
        assert len(found) == 365
    for month in (2, 3, 4, 10, 11):  # in which clocks are changed, somewhere
        cron, at_ms = Cron("*/30 * * * *", zone), ms(f"{year}-{month:02}-01T00:00")
        beats = [at_ms := cron.after(at_ms) or 0 for _ in range(31 * 48)]
        assert {late - early for early, late in pairwise(beats)} == {1_800_000}


@pytest.mark.parametrize("zone", [BERLIN, HOWE, SAO_PAULO])
@pytest.mark.parametrize("pattern", ["*/7 */5 * * *", "30 2 * * 0", "0 0 1 * *", "*/20 1 * * 6,0"])
def test_where_one_asks_from_does_not_matter(zone: str, pattern: str) -> None:
    cron, start_ms = Cron(pattern, zone), ms("2018-01-01T00:00")
    firings, at_ms = [], start_ms
    while at_ms < ms("2019-03-01T00:00"):
        at_ms = cron.after(at_ms) or 0
        firings.append(at_ms)
    for early, late in list(pairwise([start_ms, *firings]))[::7]:
        for moment_ms in (early, (early + late) // 2, late - 1000, late - 1):
            assert cron.after(moment_ms) == late


def test_seconds_are_the_first_of_six_fields() -> None:
    assert fired("10,40 0 12 * * *", "UTC", "2026-01-01T00:00", "2026-01-02T00:00") == [
        "01 12:00+0000", "01 12:00+0000",
    ]  # fmt: skip
    assert has_seconds("10 0 12 * * *") and has_seconds("* * * * * *")
    assert not has_seconds("0 0 12 * * *") and not has_seconds("0 12 * * *")


@pytest.mark.parametrize(
    ("nickname", "first"),
    [
        ("@hourly", "01 13:00"), ("@daily", "02 00:00"), ("@weekly", "04 00:00"),
        ("@MONTHLY", "01 00:00"),
    ],
)  # fmt: skip
def test_nicknames_are_patterns(nickname: str, first: str) -> None:
    until = "2026-02-02T00:00"
    assert fired(nickname, "UTC", "2026-01-01T12:30", until)[0] == first + "+0000"


@pytest.mark.parametrize(
    "pattern",
    [
        "", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
        "*/0 * * * *", "a * * * *", "5-1 * * * *", "@never", "0 0 30 2 *", "0 0 31 2,4,6,9,11 *",
        "0 0 * 2 1#6", "* * * * *" + " " * 200 + "1", "0 0 ٣ * *", "-1 * * * *", "1,,2 * * * *",
    ],
)  # fmt: skip
def test_what_is_no_pattern_or_never_comes_is_refused(pattern: str) -> None:
    with pytest.raises(NotAPattern):
        Cron(pattern)


def test_the_29th_of_february_comes_in_leap_years() -> None:
    assert Cron("0 0 29 2 *").after(ms("2026-01-01T00:00")) == ms("2028-02-29T00:00")


@pytest.mark.parametrize(
    "zone", ["", "Europe", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "a\0b"]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(NoSuchZone):
        Cron("* * * * *", zone)


def test_the_end_of_time_is_no_error() -> None:
    end_ms = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp() * 1000)
    assert Cron("* * * * *", BERLIN).after(end_ms) is None
