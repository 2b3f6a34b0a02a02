"""Settings: one frozen tree from the environment and a file, with bounds."""

from collections.abc import Callable
from pathlib import Path

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
            "BRISK_SANDBOX__NETWORK=all cannot be: it should be 'egress', 'none' or 'host'.",
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


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return what writes the file of settings that the environment names."""

    def written(text: str) -> Path:
        path = tmp_path / "brisk.toml"
        path.write_text(text)
        monkeypatch.setenv("BRISK_SETTINGS", str(path))
        return path

    return written


def test_the_environment_beats_the_file_and_the_file_the_default(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("""
        data = "/srv/brisk"
        log_level = "debug"
        [pool]
        memory_mb = 4096
        max_starts = 7
        [couchdb]
        password = "secret"
    """)
    monkeypatch.setenv("BRISK_POOL__MEMORY_MB", "1024")
    monkeypatch.setenv("BRISK_LOG_LEVEL", "error")

    settings = Settings.of_environment()

    assert (settings.pool.memory_mb, settings.pool.max_starts) == (1024, 7)
    assert settings.pool.max_waiting == PoolSettings().max_waiting
    assert (settings.log_level, settings.data) == ("error", Path("/srv/brisk"))
    assert settings.couchdb.password is not None
    assert settings.couchdb.password.get_secret_value() == "secret"
    assert settings.model_copy() == settings


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("pool.memory_mb = 64",
         "pool.memory_mb = 64 cannot be: it should be greater than or equal to 128."),
        ("pool.memroy_mb = 4096", "pool.memroy_mb is set, but there is no such setting."),
        ("pols.memory_mb = 4096", "pols is set, but there is no such setting."),
        ("settings = 'other'", "settings is set, but there is no such setting."),
        ("couchdb.password = 1234", "couchdb.password cannot be: it should be a valid string."),
    ],
)  # fmt: skip
def test_an_operator_reads_which_key_of_which_file_is_wrong(
    write: Callable[[str], Path], line: str, text: str
) -> None:
    path = write(line)
    with pytest.raises(UnusableSettings) as error:
        Settings.of_environment()
    assert str(error.value) == f"{path}: {text}"


def test_a_wrong_variable_is_named_although_the_file_has_that_key(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("pool.memory_mb = 4096")
    monkeypatch.setenv("BRISK_POOL__MEMORY_MB", "64")
    with pytest.raises(UnusableSettings, match=r"^BRISK_POOL__MEMORY_MB=64 cannot be"):
        Settings.of_environment()


def test_a_file_that_cannot_be_read_is_named(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write("[pool]\nmemory_mb =\n")
    with pytest.raises(UnusableSettings, match=rf"^{path} is not TOML: .*line 2"):
        Settings.of_environment()
    monkeypatch.setenv("BRISK_SETTINGS", str(tmp_path / "absent"))
    with pytest.raises(UnusableSettings) as error:
        Settings.of_environment()
    assert str(error.value) == (
        f"{tmp_path}/absent, which BRISK_SETTINGS names, cannot be read: No such file or directory."
    )


def test_prices_stand_in_the_file_and_what_is_wrong_with_them_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "brisk.toml"
    monkeypatch.setenv("BRISK_SETTINGS", str(file))
    entry = "[[price.book]]\nfrom_day = 2026-01-01\nmillion_gb_s_micros = 16666700\n"
    file.write_text(f'[price]\ncurrency = "EUR"\n{entry}')
    [price] = Settings.of_environment().price.book
    assert (str(price.from_day), price.million_gb_s_micros) == ("2026-01-01", 16_666_700)
    for text, why in (
        (entry, "prices need a currency"),
        (f'[price]\ncurrency = "EUR"\n{entry}{entry}', "two prices begin on one day"),
        (f'[price]\ncurrency = "EUR"\n{entry}odd = 1\n', r"price\.book\.0\.odd is set"),
        (f'[price]\ncurrency = "euro"\n{entry}', r"price\.currency = euro cannot be"),
    ):
        file.write_text(text)
        with pytest.raises(UnusableSettings, match=why):
            Settings.of_environment()
