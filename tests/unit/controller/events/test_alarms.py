"""What alarms are asked for, and told when that cannot be: OpenWhisk's words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from controller.events import alarms
from controller.events.alarms import Alarms, created, updated
from controller.events.feed import Feed, Source, Status
from controller.events.provider import Order, Refused

NOW_MS = int(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp() * 1000)
LATER, LATEST, GONE = "2026-12-01T00:00:00.000Z", "2026-12-31T00:00:00Z", "2026-11-01T00:00:00Z"


def refusal(feed: str, given: dict[str, Any]) -> str:
    with pytest.raises(Refused) as told:
        created(feed, given, NOW_MS)
    return str(told.value)


@pytest.mark.parametrize(
    ("feed", "given", "text"),
    [
        ("alarm", {}, "alarms trigger feed is missing the cron parameter"),
        ("interval", {}, "interval trigger feed is missing the minutes parameter"),
        ("once", {}, "alarms once trigger feed is missing the date parameter"),
        ("alarm", {"cron": "every day"}, "cron pattern 'every day' is not valid"),
        ("alarm", {"cron": "0 0 30 2 *"}, "cron pattern '0 0 30 2 *' is not valid"),
        ("alarm", {"cron": "* * * * *", "timezone": "Mars/Olympus"}, "Invalid timezone."),
        (
            "alarm", {"cron": "* * * * * *", "limitCronFields": True},
            "cron pattern is limited to 5 fields with 1 minute as the finest granularity",
        ),
        (
            "alarm", {"cron": "* * * * *", "startDate": "soon"},
            "startDate parameter 'soon' is not a valid Date",
        ),
        (
            "alarm", {"cron": "* * * * *", "startDate": GONE},
            f"startDate parameter '{GONE}' must be in the future",
        ),
        (
            "alarm", {"cron": "* * * * *", "startDate": LATEST, "stopDate": LATER},
            f"stopDate parameter '{LATER}' must be greater than the startDate parameter '{LATEST}'",
        ),
        (
            "alarm", {"cron": "0 0 1 6 *", "stopDate": LATER},
            "the first scheduled trigger fire is not until after the stop date",
        ),
        (
            "alarm", {"cron": "* * * * *", "stopDate": LATER, "maxTriggers": 5},
            "maxTriggers is not allowed when the stopDate parameter is specified",
        ),
        (
            "interval", {"minutes": 1, "stopDate": LATER, "maxTriggers": 5},
            "maxTriggers is not supported for the interval trigger feed",
        ),
        ("interval", {"minutes": 1.5}, "the minutes parameter must be an integer"),
        ("interval", {"minutes": "often"}, "the minutes parameter must be an integer"),
        ("interval", {"minutes": True}, "the minutes parameter must be an integer"),
        ("interval", {"minutes": -1}, "the minutes parameter must be an integer greater than zero"),
        (
            "interval", {"minutes": 10**9},
            "the minutes parameter must not be greater than 5256000",
        ),
        ("once", {"date": "2026-13-01"}, "date parameter '2026-13-01' is not a valid Date"),
        ("once", {"date": True}, "date parameter 'True' is not a valid Date"),
        ("once", {"date": 1e300}, "date parameter '1e+300' is not a valid Date"),
        ("once", {"date": NOW_MS}, f"date parameter '{NOW_MS}' must be in the future"),
        (
            "once", {"date": LATER, "deleteAfterFire": "perhaps"},
            "deleteAfterFire parameter must be one of [false, true, rules].",
        ),
        (
            "alarm", {"cron": "* * * * *", "missed": "some"},
            "missed parameter must be one of [skip, one, all].",
        ),
        (
            "alarm", {"cron": "* * * * *", "jitter": 5000},
            "the jitter parameter must be an integer from 0 to 3600",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_the_words_that_users_know(
    feed: str, given: dict[str, Any], text: str
) -> None:
    assert refusal(feed, given) == text


def test_each_feed_becomes_the_schedule_that_was_asked_for() -> None:
    made = created(
        "alarm",
        {"cron": "0 30 9 * * 1-5", "timezone": "Europe/Berlin", "startDate": LATER, "jitter": "30"},
        NOW_MS,
    )
    monday = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
    assert made.progress == {"next": int(monday.timestamp() * 1000)}
    assert alarms.schedule_of(made.config).jitter_s == 30

    made = created("interval", {"minutes": "5"}, NOW_MS)
    assert made.progress == {"next": NOW_MS + 30_000}
    assert made.config == {"minutes": 5, "startDate": NOW_MS + 30_000}

    made = created("once", {"date": LATER, "deleteAfterFire": " RULES "}, NOW_MS)
    assert made.config == {"date": LATER, "deleteAfterFire": "rules"}
    assert made.progress == {"next": int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)}


@pytest.mark.parametrize(
    ("given", "payload"),
    [
        (None, {}), ("", {}), ({"a": 1}, {"a": 1}), ('{"a": 1}', {"a": 1}),
        ("hello", {"payload": "hello"}),
        ("7", {"payload": 7}), ([1], {"payload": [1]}), (5, {"payload": 5}), ("null", {}),
    ],
)  # fmt: skip
def test_what_a_firing_carries_is_an_object(given: Any, payload: dict[str, Any]) -> None:
    assert created("once", {"date": LATER, "trigger_payload": given}, NOW_MS).payload == payload


def test_strict_is_without_jitter() -> None:
    given = {"cron": "* * * * *", "jitter": 30, "strict": "true"}
    assert alarms.schedule_of(created("alarm", given, NOW_MS).config).jitter_s == 0


def test_a_change_moves_the_next_firing_only_if_it_is_about_time() -> None:
    before = created("alarm", {"cron": "0 * * * *", "stopDate": LATEST}, NOW_MS)
    before = Order(before.config, before.payload, {"next": 1, "fired": 7})
    later = updated("alarm", before, {"trigger_payload": {"b": 2}, "missed": "all"}, NOW_MS)
    assert (later.progress, later.payload) == ({"next": 1, "fired": 7}, {"b": 2})
    assert later.config == {**before.config, "missed": "all"}

    later = updated("alarm", before, {"cron": "30 * * * *", "minutes": 5}, NOW_MS)
    assert later.progress == {"next": NOW_MS + 1_800_000, "fired": 7}
    assert later.config == {**before.config, "cron": "30 * * * *"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "no updatable parameters were specified"),
        ({"minutes": 5, "date": LATER}, "no updatable parameters were specified"),
        ({"cron": "x"}, "cron pattern 'x' is not valid"),
        (
            {"startDate": "2027-02-01T00:00:00Z"},
            f"startDate parameter '2027-02-01T00:00:00Z' must be less than the stopDate parameter "
            f"'{LATEST}'",
        ),
        (
            {"cron": "* * * * * *", "limitCronFields": True},
            "cron pattern is limited to 5 fields with 1 minute as the finest granularity",
        ),
    ],
)
def test_a_change_that_cannot_be_is_refused(given: dict[str, Any], text: str) -> None:
    before = created("alarm", {"cron": "0 * * * *", "stopDate": LATEST}, NOW_MS)
    with pytest.raises(Refused) as told:
        updated("alarm", before, given, NOW_MS)
    assert str(told.value) == text


def test_what_was_missed_in_a_pause_is_not_made_up() -> None:
    before = created("alarm", {"cron": "0 * * * *", "missed": "all"}, NOW_MS)
    later = Alarms().resumed(before, NOW_MS + 90 * 60_000)
    assert later.progress == {"next": NOW_MS + 2 * 3_600_000}


def test_what_is_read_is_what_openwhisks_package_shows() -> None:
    made = created("once", {"date": LATER, "trigger_payload": {"a": 1}}, NOW_MS)
    feed = Feed(
        namespace="guest",  # type: ignore[arg-type]
        trigger="t",
        source=Source("alarms", "once"),
        uid="u",
        sealed_key="",
        config=made.config,
        payload=made.payload,
        progress=made.progress,
        status=Status(active=True, changed_ms=NOW_MS),
        updated_ms=NOW_MS,
    )
    assert Alarms().shown(feed) == {
        "name": "t",
        "namespace": "guest",
        "payload": {"a": 1},
        "date": LATER,
        "deleteAfterFire": "false",
    }
