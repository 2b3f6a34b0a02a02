"""What is wrong in a manifest is said with its file, its line, and what was meant."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.failures import Failure
from cli.project.interpolation import Scope
from cli.project.loading import loaded, read

CALLED = "packages:\n  p:\n    actions:\n      a: {function: a.py"
"""A manifest that goes on inside its one action."""


def refused(folder: Path, text: str | bytes) -> Failure:
    """Return how a manifest is refused, when it is read and when it is drafted."""
    path = folder / "manifest.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Failure) as raised:
        loaded(read(path)[0], path, Scope({}), {}, "guest")
    return raised.value


@pytest.mark.parametrize(
    ("text", "line", "said", "fix"),
    [
        pytest.param(
            CALLED.replace("function", "fuction") + "}", 4,
            "unknown key 'fuction' in action 'a'", "write 'function' in {at}", id="a key",
        ),
        pytest.param(
            CALLED + ", kind: python}", 4,
            "unknown key 'kind' in action 'a'", "remove it from {at}", id="a key of wsk",
        ),
        pytest.param(
            "packages:\n  p:\n    acions:\n      a: {}", 3,
            "unknown key 'acions' in package 'p'", "write 'actions' in {at}", id="of a package",
        ),
        pytest.param(
            "project:\n  nam: x\n", 2,
            "unknown key 'nam' in the project", "write 'name' in {at}", id="of a project",
        ),
        pytest.param(
            "packages: {}\nevents: {}\n", 2,
            "unknown key 'events' in a manifest", "remove it from {at}", id="of a manifest",
        ),
        pytest.param(
            CALLED + ", limits: {memory: 256}}", 4,
            "unknown key 'memory' in the limits of action 'a'", "write 'memorySize' in {at}",
            id="of limits",
        ),
        pytest.param(
            "packages:\n  p:\n    triggers:\n      t:\n        feeds: /a/b\n", 5,
            "unknown key 'feeds' in trigger 't'", "write 'feed' in {at}", id="of a trigger",
        ),
        pytest.param(
            "package:\n  name: x\n", 1,
            "the key 'package' is no longer read", "write 'packages' in {at}", id="an old root",
        ),
        pytest.param(
            "packages: {p: {}}\nproject: {packages: {q: {}}}\n", 1,
            "there are packages below 'project' and beside it",
            "move them below 'project' in {file}", id="two roots",
        ),
        pytest.param(
            "packages:\n\tp: {}\n", 2,
            "while scanning for the next token, found character '\\t' that cannot start any token",
            "correct {at}", id="a tab",
        ),
        pytest.param(
            "packages: [\n", 2,
            "while parsing a flow node, expected the node content, but found '<stream end>'",
            "correct {at}", id="an open list",
        ),
        pytest.param(
            "packages: {}\n---\npackages: {}\n", 2,
            "expected a single document in the stream, but found another document",
            "correct {at}", id="two documents",
        ),
        pytest.param(
            "packages:\n  p: {}\n  q: {}\n  p: {}\n", 4,
            "the key 'p' is there twice, first in line 2", "keep one of them", id="a key twice",
        ),
        pytest.param(
            "packages: &a\n  p: *a\n", 1,
            "an alias stands inside what it stands for", "remove the alias in {file}",
            id="an alias of itself",
        ),
        pytest.param(
            "packages:\n  p: !!python/object/apply:os.system [ls]\n", 2,
            "package 'p' must be a table of keys and values", None, id="a tag of Python",
        ),
        pytest.param(
            CALLED + ", main: !thing x}", 4,
            "the tag !thing has no meaning here", "leave the tag out", id="a tag",
        ),
        pytest.param(
            CALLED + ", inputs: {a: .inf}}", 4,
            "JSON has no value for .inf", "correct {at}", id="no number",
        ),
        pytest.param(
            CALLED + ", inputs: {? [a] : b}}", 4,
            "a key must be one word or text", "correct {at}", id="a list as a key",
        ),
        pytest.param(
            "packages:\n  - p\n", 1,
            "'packages' of a manifest must be a table of names", "correct {at}", id="a list",
        ),
        pytest.param(
            CALLED + ", web: perhaps}", 4,
            "'web' of action 'a' cannot be 'perhaps'", "correct {at}", id="web",
        ),
        pytest.param(
            CALLED + ", native: perhaps}", 4,
            "'native' of action 'a' must be true or false, not 'perhaps'", "correct {at}",
            id="a flag",
        ),
        pytest.param(
            CALLED + ", limits: {timeout: soon}}", 4,
            "'timeout' of the limits of action 'a' must be a whole number", "correct {at}",
            id="a number",
        ),
        pytest.param(
            CALLED + ", limits: {timeout: 10}}", 4,
            "'timeout' must be 100 or more, not 10", "correct {at}", id="a small limit",
        ),
        pytest.param(
            CALLED + ", code: x, runtime: python}", 4,
            "action 'a' has both 'function' and 'code'", "keep one", id="two codes",
        ),
        pytest.param(
            "packages: {p: {actions: {a: {code: x}}}}", 1,
            "action 'a' has code, and no runtime", "add `runtime: python`", id="no runtime",
        ),
        pytest.param(
            "packages: {p: {actions: {a: {}}}}", 1,
            "action 'a' has nothing to run", "add `function:`", id="no code",
        ),
        pytest.param(
            CALLED + ", include: [[a, b, c]]}", 4,
            "'include' of action 'a' has pairs: a source, and where it goes",
            'write ["lib/*.py", "lib/"]', id="include",
        ),
        pytest.param(
            CALLED + ", inputs: {n: {type: strin, value: x}}}", 4,
            "'strin' is no type of input 'n' of action 'a'", "correct {at}", id="a type",
        ),
        pytest.param(
            CALLED + ", inputs: {n: {type: integer, value: many}}}", 4,
            "the input 'n' is not of type integer", "correct {at}", id="a value of another type",
        ),
        pytest.param(
            CALLED + ", inputs: {n: {type: string, required: true}, m: {required: true}}}", 4,
            "required inputs without a value: n, m", "add --param n VALUE", id="required",
        ),
        pytest.param(
            "packages: {p: {sequences: {s: {actions: 'a,,b'}}}}", 1,
            "sequence 's' needs names of actions, with commas", "write `actions: first, second`",
            id="an empty step",
        ),
        pytest.param(
            "packages:\n  p:\n    sequences:\n      s: {actions: t}\n      t: {actions: q/u}\n"
            "  q:\n    sequences:\n      u: {actions: p/s}\n", None,
            "a sequence runs itself: ", None, id="a circle of sequences",
        ),
        pytest.param(
            "packages: {p: {rules: {r: {trigger: t}}}}", 1,
            "rule 'r' needs a trigger and an action", "correct {at}", id="half a rule",
        ),
        pytest.param(
            "packages: {p: {dependencies: {d: {}}}}", 1,
            "dependency 'd' has no location", "add `location: /whisk.system/utils`",
            id="no location",
        ),
        pytest.param(
            "packages: {p: {dependencies: {d: {location: github.com/some/body}}}}", 1,
            "the dependency 'd' cannot be fetched from github.com/some/body",
            "clone it, and write its folder, as in `location: ./d`", id="far away",
        ),
        pytest.param(
            "packages:\n  p:\n    triggers:\n      t:\n  q:\n    triggers:\n      t:\n", 7,
            "the trigger t is there twice, first in {file}:4", "rename one of them in {at}",
            id="a trigger twice",
        ),
        pytest.param(
            "packages:\n  default:\n    triggers: {x: }\n    sequences: {x: {actions: y}}\n",
            None, " is there twice, first as ", None, id="a name of two kinds",
        ),
        pytest.param(
            "packages:\n  p:\n    apis:\n      n: {/b: {/p: {missing: GET}}}\n", 4,
            "the API calls the action /_/p/missing, which the manifest does not have",
            "correct {at}", id="an API of nothing",
        ),
        pytest.param(
            "packages:\n  p:\n    apis:\n      n: {/b: {/p: {a: FETCH}}}\n", 4,
            "'FETCH' is no method", "correct {at}", id="a method",
        ),
        pytest.param(
            "packages:\n  $NOT_SET:\n    actions: {}\n", 2,
            "the name '$NOT_SET' is empty", "set $NOT_SET", id="no name",
        ),
        pytest.param(
            "packages: {p: {triggers: {a/b: {}}}}\n", 1,
            "'a/b' is no name: it has a slash", "correct {at}", id="a slash",
        ),
        pytest.param(
            "packages: {p: {rules: {r: {trigger: $NOT_SET, action: a}}}}\n", 1,
            "'$NOT_SET' is the name of nothing", "correct {at}", id="a reference to nothing",
        ),
        pytest.param(
            "packages:\n  p:\n    apis:\n      n: {'/b/{x}': {/p: {a: GET}}}\n", 4,
            "the base path /b/{{x}} cannot have parameters", "correct {at}", id="a base path",
        ),
        pytest.param(
            "packages:\n  p:\n    actions:\n      a: {function: a.py, web: no}\n"
            "    apis:\n      n: {/b: {/p: {a: GET}}}\n", 6,
            "the action p/a is no web action", "add `web: true` in {file}:4", id="not for the web",
        ),
        pytest.param(
            "packages:\n  p:\n    actions:\n      a: {function: a.py, web: yes}\n"
            "    apis:\n      n: {/b: {/p: {a: GET}}}\n      m: {/b: {/q: {a: GET}}}\n", 7,
            "the base path /b is that of the API 'n' already", "give it another base path",
            id="two names of an API",
        ),
        pytest.param(
            "packages:\n  p:\n    apis:\n      n: {/b: {/p: {a: {method: GET, response: xml}}}}\n",
            4, "'xml' is no type of a response", "correct {at}", id="a response",
        ),
        pytest.param(
            "packages:\n  p:\n    inputs: [a, b]\n", 3,
            "'inputs' of package 'p' must be a table of names", "correct {at}", id="inputs",
        ),
        pytest.param("", None, "the file is empty", "begin with `packages:`", id="nothing"),
        pytest.param("just words", 1, "a manifest must be a table of keys and values",
                     "correct {at}", id="words"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, text: str, line: int | None, said: str, fix: str | None
) -> None:
    failure = refused(tmp_path, text)
    file = str(tmp_path / "manifest.yaml")
    at = f"{file}:{line}"
    if line is None:
        assert said in failure.text
    else:
        assert failure.text == f"{at}: {said.format(file=file)}"
    if fix is not None:
        assert failure.remedy.fix == fix.format(file=file, at=at)
    assert failure.remedy.fix, "every error says what mends it"


def bomb_of_aliases() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += (f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 9))
    return "\n".join(lines)


def deep() -> str:
    return "packages: " + "[" * 3000 + "]" * 3000


def large() -> str:
    return "packages:\n" + "".join(f"  p{number}: {{}}\n" for number in range(100_000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (bomb_of_aliases, "its aliases stand for more than 50000 values"),
        (deep, "it is nested too deep"),
        (large, "has more than 1048576 bytes"),
        (lambda: "packages: {}\0", "no YAML: unacceptable character"),
    ],
    ids=["aliases", "deep", "large", "a null"],
)
def test_a_manifest_that_would_be_too_much_is_refused(
    tmp_path: Path, text: Callable[[], str], said: str
) -> None:
    assert said in refused(tmp_path, text()).text


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, b"packages: {\xff}").text.endswith("manifest.yaml is no text")


def test_dependencies_that_depend_on_themselves_are_told_as_a_circle(tmp_path: Path) -> None:
    for name, other in (("first", "second"), ("second", "first")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.yaml").write_text(
            f"packages:\n  {name}:\n    dependencies:\n      {other}: {{location: ../{other}}}\n"
        )
    path = tmp_path / "first" / "manifest.yaml"
    with pytest.raises(Failure) as raised:
        loaded(read(path)[0], path, Scope({}), {}, "guest")
    assert raised.value.text.endswith(
        "second/manifest.yaml:4: the dependency 'first' depends on itself: first → second → first"
    )


def test_a_file_that_is_not_there_is_told_with_the_one_that_is(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("packages: {}")
    with pytest.raises(Failure) as raised:
        read(tmp_path / "manifst.yaml")
    assert raised.value.remedy.fix == f"--manifest {tmp_path / 'manifest.yaml'}"
