import stat
from pathlib import Path

import pytest

from cli import wskprops


def test_lines_are_read_leniently() -> None:
    text = "# a comment\n APIHOST = http://h:1 # where\nAUTH=a:b=c\nnonsense\n\n=x\nAUTH=d:e==\n"
    assert wskprops.parse(text) == {"APIHOST": "http://h:1", "AUTH": "d:e=="}


def test_changes_are_made_in_place_and_the_rest_is_kept() -> None:
    text = "# mine\nAUTH=old\nOTHER=1\nKEY=k\n"
    changed = wskprops.revised(text, {"AUTH": "new", "KEY": None, "APIHOST": "h"})
    assert changed == "# mine\nAUTH=new\nOTHER=1\nAPIHOST=h\n"


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "props"
    path.write_text("AUTH=old\n")
    path.chmod(0o644)

    wskprops.write(path, {"AUTH": "new"})

    assert path.read_text() == "AUTH=new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("")
    link.symlink_to(target)

    wskprops.write(link, {"AUTH": "x"})

    assert link.is_symlink()
    assert target.read_text() == "AUTH=x\n"


def test_an_empty_variable_means_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".wskprops").write_text("AUTH=home\n")

    monkeypatch.setenv("WSK_CONFIG_FILE", "")
    assert wskprops.read(wskprops.location()) == {}
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "missing"))
    assert wskprops.read(wskprops.location()) == {}
    monkeypatch.delenv("WSK_CONFIG_FILE")
    assert wskprops.read(wskprops.location()) == {"AUTH": "home"}
