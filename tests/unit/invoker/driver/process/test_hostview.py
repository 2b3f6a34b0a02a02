from pathlib import Path
from typing import Any

from invoker.driver.process import hostview


def view(*prefixes: str) -> dict[str, Any]:
    return hostview.plan(Path("/state/view"), prefixes, Path("/src/runtimes"), "", own_proc=True)


def test_an_interpreter_is_seen_at_its_own_path() -> None:
    assert "/home/a/.pyenv/versions/3.11.7" in view("/home/a/.pyenv/versions/3.11.7")["binds"]


def test_what_is_in_usr_needs_no_second_bind() -> None:
    assert view("/usr", "/usr/local")["binds"] == view()["binds"]


def test_a_folder_inside_another_is_not_bound_twice() -> None:
    assert hostview.outermost(["/a/b", "/a", "/ab", "/a/b/c"]) == ["/a", "/ab"]


def test_nothing_of_homes_and_secrets_is_shown() -> None:
    shown = [*view()["binds"], *(path for path, _ in view()["files"])]

    forbidden = ("/home", "/root", "/var", "/run", "/etc/shadow", "/etc/ssl/private", "/boot")
    assert not [path for path in shown if path.startswith(forbidden) or path in ("/", "/etc")]
