from pathlib import Path

from cli.develop.sources import digest, files_of, stamp


def test_what_belongs_to_an_action(tmp_path: Path) -> None:
    for name in ("b.py", "a/c.py", ".env", ".git/config", "a/__pycache__/c.pyc", "venv/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert files_of(tmp_path) == [tmp_path / "a" / "c.py", tmp_path / "b.py"]
    assert files_of(tmp_path / "b.py") == [tmp_path / "b.py"]


def test_a_save_is_seen_and_the_same_content_is_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("one")
    before, content = stamp(tmp_path), digest(tmp_path)
    file.write_text("one")
    assert digest(tmp_path) == content
    file.write_text("other")
    assert stamp(tmp_path) != before
    assert digest(tmp_path) != content
    file.rename(tmp_path / "b.py")
    (tmp_path / "b.py").write_text("one")
    assert digest(tmp_path) != content, "a name is part of what an action is"


def test_a_link_to_nowhere_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert stamp(tmp_path) == ()
