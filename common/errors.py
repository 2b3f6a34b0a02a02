"""Everything a caller may be told went wrong.

The docstring of an error is its message: who raises one without a text says these words, and words
in braces are filled in. They are OpenWhisk's words (`ErrorResponse.scala`), which clients compare
letter by letter. Which HTTP status an error has is known in one place, `controller/edge/errors.py`.
"""

import inspect
from collections.abc import Iterable


class BriskError(Exception):
    """Something went wrong."""

    limit: str = ""
    """Which limit was reached, by the name of the setting or of the namespace's own limit."""
    retry_after_s: int | None = None
    """When it may be tried again with some hope, in seconds from now; None is not known."""

    def __str__(self) -> str:
        """Return the text given, else the first paragraph of the docstring."""
        return super().__str__() or self.words()

    @classmethod
    def words(cls, **values: object) -> str:
        """Return the first paragraph of the docstring with *values* filled in."""
        text = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
        return text.format(**values) if values else text


class MalformedContent(BriskError):
    """The request content was malformed."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"The request content was malformed:\n{detail}")


class IllegalName(BriskError):
    """The name of the entity contains illegal characters."""


class IllegalNamespace(BriskError):
    """The namespace contains illegal characters."""


class NameTooLong(BriskError):
    """{field} longer than allowed: {length} > {allowed}."""

    def __init__(self, field: str, length: int, allowed: int) -> None:
        super().__init__(self.words(field=field, length=length, allowed=allowed))


class IllegalActivationId(BriskError):
    """The activation id is not valid."""


class ActivationIdLength(BriskError):
    """Activation id length is {length} but must be {allowed}."""

    def __init__(self, length: int, allowed: int) -> None:
        super().__init__(self.words(length=length, allowed=allowed))


class EntityTooBig(BriskError):
    """{field} larger than allowed: {size} > {allowed} bytes."""

    def __init__(self, field: str, size: int, allowed: int) -> None:
        super().__init__(self.words(field=field, size=size, allowed=allowed))


class ArgumentsTooBig(BriskError):
    """The request content is larger than the server is willing or able to process."""


class LimitOutOfBounds(BriskError):
    """The action asks for a limit outside the allowed thresholds."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"requirement failed: {detail}")


class InstancesOutOfBounds(BriskError):
    """Max action instance concurrency must not exceed your namespace concurrency of {allowed}."""

    def __init__(self, allowed: int) -> None:
        super().__init__(self.words(allowed=allowed))


class ExecMissing(BriskError):
    """exec undefined"""  # noqa: D415 - OpenWhisk's words end without a period


class ResourceExists(BriskError):
    """resource already exists"""  # noqa: D415 - OpenWhisk's words end without a period


class WrongCollection(BriskError):
    """Resource by this name exists but is not in this collection."""


class NoSuchResource(BriskError):
    """The requested resource does not exist."""


class NoSuchPackage(BriskError):
    """The requested resource '{name}' does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(self.words(name=name))


class NotAuthorized(BriskError):
    """The supplied authentication is not authorized to access '{names}'."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(self.words(names=", ".join(sorted(names))))


class KindNotAuthorized(BriskError):
    """The supplied authentication is not authorized to access actions of kind '{kind}'."""

    def __init__(self, kind: str) -> None:
        super().__init__(self.words(kind=kind))


class RuntimeDeprecated(BriskError):
    """The '{kind}' runtime is no longer supported. You may read and delete but not update or invoke this action."""  # noqa: E501

    def __init__(self, kind: str) -> None:
        super().__init__(self.words(kind=kind))


class ParametersNotAllowed(BriskError):
    """Request defines parameters that are not allowed (e.g., reserved properties)."""


class NoComponent(BriskError):
    """No component specified for the sequence."""


class SequenceTooLong(BriskError):
    """Too many actions in the sequence."""


class SequenceCyclic(BriskError):
    """Sequence may not refer to itself."""


class ComponentNotFound(BriskError):
    """Sequence component does not exist."""


class DocsWithCount(BriskError):
    """The parameter 'docs' is not permitted with 'count'."""


class NoInnerLimits(BriskError):
    """Inner entity level routes for limits are not yet implemented."""


class TooManyRequests(BriskError):
    """Too many requests in the last minute (count: {count}, allowed: {allowed})."""

    def __init__(
        self, count: int, allowed: int, *, limit: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(self.words(count=count, allowed=allowed))
        self.limit = limit
        self.retry_after_s = retry_after_s


class TooManyConcurrent(BriskError):
    """Too many concurrent requests in flight (count: {count}, allowed: {allowed})."""

    limit = "concurrentInvocations"

    def __init__(self, count: int, allowed: int) -> None:
        super().__init__(self.words(count=count, allowed=allowed))
        # Nobody knows when one of those under way ends; where none may ever be, no time helps.
        self.retry_after_s = 1 if allowed else None


class OverBudget(BriskError):
    """The budget of the namespace is spent, or nearly so."""

    limit = "budget"

    def __init__(self, text: str, retry_after_s: int) -> None:
        """Say *text*: what is spent of which budget, and when it begins anew."""
        super().__init__(text)
        self.retry_after_s = retry_after_s


class TooManyStreams(BriskError):
    """Too many connections follow what happens here. Close one, or try again later."""

    def __init__(self, *, limit: str) -> None:
        """Say which *limit* was reached, by the name of its setting."""
        super().__init__(self.words())
        self.limit = limit


class EventsNotTold(BriskError):
    """This platform sends no user events. Its operator may set BRISK_USER_EVENTS__ENABLED=true."""


class CircularBinding(BriskError):
    """Package binding '{name}' contains a circular reference."""

    def __init__(self, name: str) -> None:
        super().__init__(self.words(name=name))


class NotAllowedOnBinding(BriskError):
    """Operation not permitted on package binding."""


class ReservedPackageName(BriskError):
    """Package name '{name}' is reserved."""

    def __init__(self, name: str) -> None:
        super().__init__(self.words(name=name))


class BindingDoesNotExist(BriskError):
    """Binding references a package that does not exist."""


class BindingToBinding(BriskError):
    """Cannot bind to another package binding."""


class PackageCannotBecomeBinding(BriskError):
    """Resource is a package and cannot be converted into a binding."""


class NotAPackageToBind(BriskError):
    """Cannot bind to a resource that is not a package."""


class PackageNotEmpty(BriskError):
    """Package not empty (contains {count} {entities}). Set force param or delete package contents."""  # noqa: E501

    def __init__(self, count: int) -> None:
        super().__init__(self.words(count=count, entities="entity" if count == 1 else "entities"))


class IllegalFeed(BriskError):
    """Feed name is not valid"""  # noqa: D415 - OpenWhisk's words end without a period


class RuleIncomplete(BriskError):
    """rule requires a valid trigger and a valid action"""  # noqa: D415 - as above


class RuleRefersToNothing(BriskError):
    """{kind} {name} does not exist"""  # noqa: D415 - as above

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(self.words(kind=kind, name=name))


class RuleActionUnreadable(BriskError):
    """Resource is corrupted and cannot be read."""


class RuleWithoutTrigger(BriskError):
    """Only rules with existing triggers can be activated"""  # noqa: D415 - as above


class WebCredentialsMissing(BriskError):
    """Authentication is possible but has failed or not yet been provided."""


class ErrorProcessingRequest(BriskError):
    """There was an error processing your request."""


class InvalidMedia(BriskError):
    """Response is not valid '{media}'."""

    def __init__(self, media: str) -> None:
        super().__init__(self.words(media=media))


class PropertyNotFound(BriskError):
    """Response does not include requested property."""


class ResponseTypeMismatch(BriskError):
    """Response type in header did not match generated content type."""


class ResponseTypeUnknown(BriskError):
    """Response did not specify a known content-type."""


class ResponseNotReady(BriskError):
    """Response not yet ready."""


class ApiRefused(BriskError):
    """The description of the API is not one that can be served."""


class NoSuchApi(BriskError):
    """There is no API at this address."""


class NoSuchApiPath(BriskError):
    """The API '{title}' has no path that fits '{path}'."""

    def __init__(self, title: str, path: str) -> None:
        super().__init__(self.words(title=title, path=path))


class ApiLeadsNowhere(BriskError):
    """The operation '{operation}' leads to no web action of this platform. Its x-openwhisk.url, or the target-url of its x-ibm-configuration, has to be the address of one."""  # noqa: E501

    def __init__(self, operation: str) -> None:
        super().__init__(self.words(operation=operation))


class ApiKeyMissing(BriskError):
    """This API is called with a key: send it in the header '{header}'."""

    def __init__(self, header: str) -> None:
        super().__init__(self.words(header=header))


class ApiKeyUnknown(BriskError):
    """The key in the header '{header}' does not open this API."""

    def __init__(self, header: str) -> None:
        super().__init__(self.words(header=header))
