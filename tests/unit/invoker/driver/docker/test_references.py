"""What the name of an image says."""

import pytest

from invoker.driver.docker.references import parse


@pytest.mark.parametrize(
    ("text", "whole", "registry", "may_change"),
    [
        ("a", "a:latest", "default", True),
        ("a:latest", "a:latest", "default", True),
        ("a/b:1", "a/b:1", "default", False),
        ("host:5000/a", "host:5000/a:latest", "host:5000", True),
        ("host:5000/a/b:1", "host:5000/a/b:1", "host:5000", False),
        ("host.example/a:1", "host.example/a:1", "host.example", False),
        ("localhost/a", "localhost/a:latest", "localhost", True),
        # Else the engine would take it for the id of an image, whoever may use that.
        ("4b87883d8abe", "4b87883d8abe:latest", "default", True),
    ],
)
def test_a_reference_is_read_whole(text: str, whole: str, registry: str, may_change: bool) -> None:
    read = parse(text)
    assert (str(read), read.registry, read.may_change) == (whole, registry, may_change)
    assert not read.is_id


@pytest.mark.parametrize("text", ["sha256:4b87", f"sha256:{'a' * 64}", "sha512:ab"])
def test_what_an_engine_takes_for_an_id_is_told_apart(text: str) -> None:
    assert parse(text).is_id
    assert not parse(f"host.example/{text}").is_id
