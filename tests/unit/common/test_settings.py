"""Settings: one frozen tree from the environment, with bounds."""

import pytest
from pydantic import ValidationError

from common.settings import PoolSettings, Settings


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


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().pool.memory_mb = 1  # type: ignore[misc]
