"""Settings: one frozen tree from the environment, with bounds."""

import pytest
from pydantic import ValidationError

from common.settings import PoolSettings, Settings, UnusableSettings


def test_a_nested_setting_is_named_with_two_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRISK_POOL__MEMORY_MB", "4096")
    monkeypatch.setenv("BRISK_LOG_LEVEL", "debug")
    settings = Settings()
    assert settings.pool.memory_mb == 4096
    assert settings.log_level == "debug"
    assert settings.pool.max_starts == PoolSettings().max_starts


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BRISK_POOL__MEMORY_MB", "64"),
        ("BRISK_POOL__MEMORY_MB", "lots"),
        ("BRISK_POOL__MEMROY_MB", "4096"),
        ("BRISK_HTTP__PORT", "65536"),
        ("BRISK_LOG_LEVEL", "loud"),
        ("BRISK_SANDBOX__NETWORK", "all"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as error:
        Settings()
    where = variable.removeprefix("BRISK_").lower().split("__")
    assert error.value.errors()[0]["loc"] == tuple(where)


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        (
            "BRISK_POOL__MEMORY_MB",
            "64",
            "BRISK_POOL__MEMORY_MB=64 cannot be: it should be greater than or equal to 128.",
        ),
        (
            "BRISK_POOL__MEMROY_MB",
            "4096",
            "BRISK_POOL__MEMROY_MB is set, but there is no such setting.",
        ),
        (
            "BRISK_SANDBOX__NETWORK",
            "all",
            "BRISK_SANDBOX__NETWORK=all cannot be: it should be 'auto', 'none' or 'host'.",
        ),
        (
            "BRISK_POOL",
            "{",
            'error parsing value for field "pool" from source "EnvSettingsSource".',
        ),
    ],
)
def test_an_operator_reads_which_variable_is_wrong_and_why(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, text: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UnusableSettings) as error:
        Settings.of_environment()
    assert str(error.value) == text


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRISK_POOL__MEMORY_MB", "lots")
    monkeypatch.setenv("BRISK_LOG_LEVEL", "loud")
    with pytest.raises(UnusableSettings) as error:
        Settings.of_environment()
    first, second = str(error.value).splitlines()
    assert first.startswith("BRISK_LOG_LEVEL=loud cannot be: it should be 'debug', ")
    assert second.startswith("BRISK_POOL__MEMORY_MB=lots cannot be: it should be a valid integer")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().pool.memory_mb = 1  # type: ignore[misc]
