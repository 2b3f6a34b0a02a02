"""A whole API from a file."""

import json
from pathlib import Path

import pytest

from tests.fakes.rest import FakeApi
from tests.unit.cli.api_documents import AT, SWAGGER, VALUE
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("configured")


def test_a_file_is_sent_as_it_is(line: Run, api: FakeApi, home: Path) -> None:
    text = json.dumps(SWAGGER, indent=1)
    (home / "api.json").write_text(text)
    api.answer(f"POST {AT}/createApi", VALUE)
    done = line("wsk api create -c api.json -n ignored")
    assert done.stdout.splitlines() == [
        "ok: created API /base/b get for action /guest/hello",
        "http://h/api/t/base/b",
        "ok: created API /base/a post for action /guest/pk/hello",
        "http://h/api/t/base/a",
        "ok: created API /base/a put",
        "http://h/api/t/base/a",
    ]
    assert api.asked[0].body == {"apidoc": {"namespace": "_", "swagger": text}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Unable to parse swagger file: Error parsing swagger file 'api.json': "),
        ("[]", "Unable to parse swagger file: Error parsing swagger file 'api.json': a JSON"),
        (
            '{"swagger": "2.0"}',
            "Unable to parse swagger file: Swagger file is invalid (missing basePath, info, "
            "paths, or swagger fields)",
        ),
        (
            '{"openapi": "3.0.3"}',
            "Unable to parse swagger file: The OpenAPI document is invalid (missing info or paths",
        ),
        (
            json.dumps(SWAGGER | {"basePath": "base"}),
            "Unable to parse swagger file: Swagger file basePath must start with a leading slash",
        ),
    ],
)
def test_a_file_that_is_none(line: Run, api: FakeApi, home: Path, text: str, said: str) -> None:
    (home / "api.json").write_text(text)
    refused = line("wsk api create -c api.json")
    assert (refused.exit, api.asked) == (1, [])
    assert refused.stderr.startswith(f"error: {said}")


YAML = """
swagger: '2.0'
basePath: /base
info: {title: letters, version: 1.0}
paths:
  /b: &b
    get:
      operationId: getB
      responses:
        200: {description: It}
  /c:
    get:
      responses: {default: {description: 2020-01-01}}
"""


@pytest.mark.parametrize("file", ["api.yaml", "api.yml"])
def test_yaml_is_sent_as_json(line: Run, api: FakeApi, home: Path, file: str) -> None:
    (home / file).write_text(YAML)
    api.answer(f"POST {AT}/createApi", VALUE)
    done = line(f"wsk api create -c {file}")
    assert (done.exit, done.stderr) == (0, "")
    sent = json.loads(api.asked[0].body["apidoc"]["swagger"])
    assert sent["paths"]["/b"]["get"]["responses"] == {"200": {"description": "It"}}
    assert sent["paths"]["/c"]["get"]["responses"]["default"]["description"] == "2020-01-01"


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2", "", "[]"])
def test_yaml_that_is_none(line: Run, api: FakeApi, home: Path, text: str) -> None:
    (home / "api.yaml").write_text(text)
    refused = line("wsk api create -c api.yaml")
    assert (refused.exit, api.asked) == (1, [])
    assert refused.stderr.startswith("error: Unable to parse swagger file: ")


def test_openapi_3_has_no_base_path_of_its_own(line: Run, api: FakeApi, home: Path) -> None:
    text = json.dumps({"openapi": "3.0.3", "info": {"title": "x"}, "paths": {}})
    (home / "api.json").write_text(text)
    api.answer(f"POST {AT}/createApi", VALUE)
    assert line("wsk api create -c api.json").exit == 0
    assert api.asked[0].body == {"apidoc": {"namespace": "_", "swagger": text}}


def test_a_file_that_is_not_there(line: Run, api: FakeApi) -> None:
    refused = line("wsk api create --config-file nothing.json")
    assert refused.exit == 2
    assert refused.stderr.startswith(
        "error: Unable to parse swagger file: Error reading swagger file 'nothing.json': "
    )
