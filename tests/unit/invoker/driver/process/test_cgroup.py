"""Which files are written for which version, on a tree that stands in for the kernel's."""

from pathlib import Path

import pytest

from invoker.driver.process import cgroup
from invoker.driver.process.cgroup import Allowance, Group, Hierarchy

ALLOWANCE = Allowance(memory_mb=256, pids=128)
FILES = {
    "memory": ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max"],
    "pids": ["pids.max"],
    "cpu": ["cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.max"],
}


class Tree:
    """Folders that get their files when they are made, as the kernel does it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        make, remove = Path.mkdir, Path.rmdir

        def mkdir(
            path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False
        ) -> None:
            make(path, mode, parents, exist_ok)
            for file in self.files(path):
                (path / file).touch()

        def rmdir(path: Path) -> None:
            for file in path.iterdir():
                if file.is_file():
                    file.unlink()
            remove(path)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        monkeypatch.setattr(Path, "rmdir", rmdir)

    def files(self, path: Path) -> list[str]:
        parts = path.relative_to(self.root).parts if path.is_relative_to(self.root) else ()
        if "unified" in parts:
            return ["cgroup.subtree_control", "cgroup.procs", "memory.max", "pids.max", "cpu.max"]
        controllers = [each for each in FILES if each in parts]
        return ["cgroup.procs", *(name for each in controllers for name in FILES[each])]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    return Tree(tmp_path, monkeypatch)


def mounts(tree: Tree, *lines: str) -> Path:
    """Return a mountinfo with *lines* of `name type options`."""
    file = tree.root / "mountinfo"
    rows = []
    for line in lines:
        name, kind, options = line.split()
        (tree.root / name).mkdir()
        rows.append(f"35 31 0:32 / {tree.root / name} rw,relatime - {kind} {kind} {options}\n")
    file.write_text("".join(rows))
    return file


def version_1(tree: Tree) -> Path:
    return mounts(
        tree, *(f"{each} cgroup rw,{each}" for each in ("memory", "pids", "cpu", "freezer"))
    )


def test_version_1_limits_each_hierarchy(tree: Tree) -> None:
    hierarchy = cgroup.find("brisk-1", version_1(tree))

    hierarchy.make("a", ALLOWANCE)

    def written(controller: str, file: str) -> str:
        return (tree.root / controller / "brisk-1" / "a" / file).read_text()

    assert hierarchy.version == "v1"
    assert written("memory", "memory.limit_in_bytes") == str(256 << 20)
    assert written("memory", "memory.memsw.limit_in_bytes") == str(256 << 20)
    assert written("pids", "pids.max") == "129"
    assert written("cpu", "cpu.cfs_quota_us") == "100000"


def test_version_2_limits_one_folder(tree: Tree) -> None:
    file = mounts(tree, "unified cgroup2 rw")
    (tree.root / "unified" / "cgroup.controllers").write_text("cpuset cpu io memory pids")

    hierarchy = cgroup.find("brisk-1", file)
    hierarchy.make("a", ALLOWANCE)

    root = tree.root / "unified" / "brisk-1"
    assert hierarchy.version == "v2"
    assert (root / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (root / "a" / "memory.max").read_text() == str(256 << 20)
    assert (root / "a" / "cpu.max").read_text() == "100000 100000"


def test_a_second_hierarchy_without_memory_does_not_count(tree: Tree) -> None:
    file = version_1(tree)
    with file.open("a") as more:
        more.write(f"41 31 0:38 / {tree.root / 'unified'} rw - cgroup2 cgroup2 rw\n")
    (tree.root / "unified").mkdir()
    (tree.root / "unified" / "cgroup.controllers").write_text("hugetlb")

    assert cgroup.find("brisk-1", file).version == "v1"


def test_a_host_without_hierarchies_says_which_are_missing(tree: Tree) -> None:
    with pytest.raises(OSError, match="pids, cpu, freezer"):
        cgroup.find("brisk-1", mounts(tree, "memory cgroup rw,memory"))


def test_a_group_that_cannot_be_made_leaves_nothing(tree: Tree) -> None:
    hierarchy = cgroup.find("brisk-1", version_1(tree))
    (tree.root / "cpu" / "brisk-1" / "a").mkdir()  # in the way of the third folder

    with pytest.raises(FileExistsError):
        hierarchy.make("a", ALLOWANCE)

    assert not (tree.root / "memory" / "brisk-1" / "a").exists()


def test_what_a_predecessor_left_is_removed(tree: Tree) -> None:
    hierarchy = cgroup.find("brisk-1", version_1(tree))
    hierarchy.make("a", ALLOWANCE)
    hierarchy.make("b", ALLOWANCE)

    assert hierarchy.reconcile() == ["a", "b"]

    assert hierarchy.reconcile() == []
    hierarchy.remove()
    assert not (tree.root / "memory" / "brisk-1").exists()


@pytest.mark.parametrize(
    ("version", "file", "text", "expected"),
    [
        ("v1", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", True),
        ("v1", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", False),
        ("v2", "memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n", True),
        ("v2", "memory.events", "low 0\nhigh 0\nmax 9\noom 0\noom_kill 0\n", False),
    ],
)
def test_a_kill_for_memory_is_seen(
    tmp_path: Path, version: str, file: str, text: str, expected: bool
) -> None:
    (tmp_path / file).write_text(text)
    group = Hierarchy("v1" if version == "v1" else "v2", {"memory": tmp_path.parent})

    seen = Group(group.version, {"memory": tmp_path}).has_killed_for_memory()

    assert seen is expected
