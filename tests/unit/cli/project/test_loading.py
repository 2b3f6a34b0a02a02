"""Manifests with what they depend on, deployment files, and files of variables."""

from pathlib import Path

import pytest

from cli.failures import Failure
from cli.project import loading
from cli.project.interpolation import Scope
from cli.project.variables import variables_of

LIBRARY = "packages:\n  library:\n    inputs: {mark: '!'}\n"


def project(path: Path) -> loading.Project:
    manifest, _ = loading.read(path)
    return loading.loaded(manifest, path, Scope({}), {}, "guest")


def two_that_need(tmp_path: Path, first: str, second: str) -> Path:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "manifest.yaml").write_text(LIBRARY)
    path = tmp_path / "manifest.yaml"
    path.write_text(
        "packages:\n"
        f"  a:\n    dependencies:\n      one: {{location: ./library, inputs: {first}}}\n"
        f"  b:\n    dependencies:\n      two: {{location: ./library, inputs: {second}}}\n"
    )
    return path


def test_what_two_packages_need_is_deployed_once_and_bound_twice(tmp_path: Path) -> None:
    found = project(two_that_need(tmp_path, "{mark: '?'}", "{mark: '?'}"))
    assert [str(one) for one in found.entities] == [
        "package a", "package b", "package library", "binding one", "binding two",
    ]  # fmt: skip
    library = next(one for one in found.entities if one.name == "library")
    assert library.fields["parameters"] == {"mark": "?"}


def test_what_two_packages_need_differently_is_refused(tmp_path: Path) -> None:
    path = two_that_need(tmp_path, "{mark: '?'}", "{mark: '.'}")
    with pytest.raises(Failure, match=f"{path}:7: .* is needed twice, with different inputs"):
        project(path)


def test_a_deployment_file_of_another_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("project: {name: shop, packages: {p: {}}}\n")
    (tmp_path / "deployment.yaml").write_text("project: {name: bank, packages: {p: {}}}\n")
    manifest, _ = loading.read(tmp_path / "manifest.yaml")
    beside = loading.deployment_path(tmp_path, None)
    with pytest.raises(Failure, match=r"deployment\.yaml is of the project 'bank'"):
        loading.with_deployment(manifest, beside)


def test_what_a_deployment_file_has_and_the_manifest_has_not_is_noted(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text(
        "packages:\n  p:\n    triggers:\n      t: {inputs: {a: 1, kept: 2}}\n"
    )
    (tmp_path / "other.yml").write_text(
        "packages:\n  p:\n    triggers:\n      t: {inputs: {a: 2}}\n      u: {}\n  q: {}\n"
    )
    manifest, _ = loading.read(tmp_path / "manifest.yaml")
    merged = loading.with_deployment(manifest, loading.deployment_path(tmp_path, "other.yml"))
    at = tmp_path / "other.yml"
    assert merged.notes == (
        f"{at}:6: the manifest has no package 'q'",
        f"{at}:5: the manifest has no trigger 'u'",
    )
    [trigger] = merged.packages[0].triggers
    assert {name: one.value for name, one in trigger.inputs.items()} == {"a": 2, "kept": 2}


def test_an_input_of_the_line_that_nothing_takes_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text("packages: {p: {inputs: {real: 1}}}\n")
    manifest, _ = loading.read(path)
    found = loading.loaded(manifest, path, Scope({}), {"reel": 2, "real": 3}, "guest")
    assert found.notes == ("no input is called 'reel'",)
    assert found.entities[0].fields["parameters"] == {"real": 3}


def test_who_undeploys_needs_nothing_of_what_is_far_away(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text("packages:\n  p:\n    dependencies:\n      far: {location: github.com/a/b}\n")
    manifest, _ = loading.read(path)
    found = loading.loaded(manifest, path, Scope({}, is_lenient=True), {}, "guest")
    assert found.notes == (f"{path}:4: what 'far' has is left alone",)


@pytest.mark.parametrize(
    ("written", "kept"), [("1.0", "1.0.0"), ("2", "2.0.0"), ("01.2.3", "1.2.3"), ("x.1", "x.1")]
)
def test_a_version_is_as_the_platform_keeps_it(tmp_path: Path, written: str, kept: str) -> None:
    (tmp_path / "manifest.yaml").write_text(f"packages: {{p: {{version: {written}}}}}\n")
    [package] = project(tmp_path / "manifest.yaml").entities
    assert package.fields["version"] == kept


def test_variables_are_read_as_shells_write_them() -> None:
    text = "# a comment\nA=1\nexport B='two words'\n\nC = \"x=y\"\nD=\n"
    assert variables_of(text, "f") == {"A": "1", "B": "two words", "C": "x=y", "D": ""}
    with pytest.raises(Failure, match="f:2: this is no variable"):
        variables_of("A=1\nno equals\n", "f")
