"""What is wrong with a request before it reaches a collection: address, credentials, form.

The words are those of the HTTP library that OpenWhisk is built on; clients compare them.
"""

from collections.abc import Iterable

from common.errors import BriskError


class NoSuchRoute(BriskError):
    """The requested resource could not be found."""


class MethodNotAllowed(BriskError):
    """HTTP method not allowed, supported methods: {methods}"""  # noqa: D415

    def __init__(self, methods: Iterable[str]) -> None:
        self.allow = ", ".join(methods)
        super().__init__(self.words(methods=self.allow))


class MissingCredentials(BriskError):
    """The resource requires authentication, which was not supplied with the request"""  # noqa: D415


class InvalidCredentials(BriskError):
    """The supplied authentication is invalid"""  # noqa: D415


class MalformedQuery(BriskError):
    """A query parameter was malformed."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"The query parameter '{name}' was malformed:\n{detail}")


class ContentMissing(BriskError):
    """Request entity expected but not supplied"""  # noqa: D415


class UnsupportedContentType(BriskError):
    """The request's Content-Type is not supported."""

    def __init__(self, given: str) -> None:
        super().__init__(
            f"The request's Content-Type [{given}] is not supported. Expected:\napplication/json"
        )


class NotAcceptable(BriskError):
    """The client accepts nothing that this resource can be shown as."""

    def __init__(self, types: Iterable[str]) -> None:
        super().__init__(
            "Resource representation is only available with these types:\n" + "\n".join(types)
        )


class ContentTooLarge(BriskError):
    """The request content is larger than the server is willing or able to process."""


class ContentTooSlow(BriskError):
    """The request was not received in time."""
