"""From an error to what a client is told: the only place that knows HTTP status codes.

An error is answered by the nearest of its classes in the table. Some texts are OpenWhisk's words
for a whole family, so that what a store says of itself stays inside. What is not in the table is a
fault of ours: the client gets a fixed sentence and a transaction id, the log gets the traceback.
"""

from dataclasses import dataclass
from typing import Final

from common import errors
from common.bus.port import BusUnavailable
from common.store import port as store
from controller.balance.port import NoCapacity
from controller.edge import rejections
from controller.invoke.repeated import FiringUnderWay

INTERNAL: Final = "There was an internal server error."
UNAVAILABLE: Final = (
    "The server is currently unavailable (because it is overloaded or down for maintenance)."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a client is told of an error."""

    status: int
    text: str | None = None
    """None says the error's own words."""
    with_cors: bool = True
    """False where the request was turned away before a collection saw it, as OpenWhisk does."""


def _rejected(status: int) -> Answer:
    return Answer(status, with_cors=False)


ANSWERS: Final[dict[type[BaseException], Answer]] = {
    # Turned away: address, credentials, form.
    rejections.NoSuchRoute: _rejected(404),
    rejections.MethodNotAllowed: _rejected(405),
    rejections.MissingCredentials: _rejected(401),
    rejections.InvalidCredentials: _rejected(401),
    rejections.MalformedQuery: _rejected(400),
    rejections.ContentMissing: _rejected(400),
    rejections.UnsupportedContentType: _rejected(415),
    rejections.NotAcceptable: _rejected(406),
    rejections.ContentTooLarge: _rejected(413),
    rejections.ContentTooSlow: _rejected(408),
    errors.MalformedContent: _rejected(400),
    errors.IllegalName: _rejected(400),
    errors.IllegalNamespace: _rejected(400),
    errors.NameTooLong: _rejected(400),
    errors.IllegalActivationId: _rejected(400),
    errors.ActivationIdLength: _rejected(400),
    # Understood, but not done.
    errors.LimitOutOfBounds: Answer(400),
    errors.InstancesOutOfBounds: Answer(400),
    errors.ExecMissing: Answer(400),
    errors.RuntimeDeprecated: Answer(400),
    errors.ParametersNotAllowed: Answer(400),
    errors.NoComponent: Answer(400),
    errors.SequenceTooLong: Answer(400),
    errors.ComponentNotFound: Answer(400),
    errors.NotAllowedOnBinding: Answer(400),
    errors.ReservedPackageName: Answer(400),
    errors.BindingDoesNotExist: Answer(400),
    errors.BindingToBinding: Answer(400),
    errors.IllegalFeed: Answer(400),
    errors.RuleIncomplete: Answer(400),
    errors.RuleRefersToNothing: Answer(400),
    errors.SequenceCyclic: Answer(400),
    errors.RuleActionUnreadable: Answer(400),
    errors.DocsWithCount: Answer(400),
    # Web actions.
    errors.ResponseNotReady: Answer(202),
    errors.ErrorProcessingRequest: Answer(400),
    errors.InvalidMedia: Answer(400),
    errors.ResponseTypeMismatch: Answer(400),
    errors.ResponseTypeUnknown: Answer(400),
    errors.WebCredentialsMissing: Answer(401),
    errors.PropertyNotFound: Answer(404),
    errors.NoInnerLimits: Answer(400),
    errors.NotAuthorized: Answer(403),
    errors.KindNotAuthorized: Answer(403),
    errors.NoSuchResource: Answer(404),
    errors.NoSuchPackage: Answer(404),
    errors.EventsNotTold: Answer(404),
    errors.RuleWithoutTrigger: Answer(404),
    errors.ResourceExists: Answer(409),
    errors.PackageCannotBecomeBinding: Answer(409),
    errors.NotAPackageToBind: Answer(409),
    errors.PackageNotEmpty: Answer(409),
    errors.CircularBinding: Answer(422),
    errors.WrongCollection: Answer(409),
    errors.EntityTooBig: Answer(413),
    errors.ArgumentsTooBig: Answer(413),
    errors.TooManyRequests: Answer(429),
    errors.TooManyConcurrent: Answer(429),
    errors.OverBudget: Answer(429),
    errors.TooManyStreams: Answer(503),
    # The gateway.
    errors.ApiRefused: Answer(400),
    errors.NoSuchApi: Answer(404),
    errors.NoSuchApiPath: Answer(404),
    errors.ApiKeyMissing: Answer(401),
    errors.ApiKeyUnknown: Answer(401),
    errors.ApiLeadsNowhere: Answer(502),
    # The stores and the bus.
    store.Missing: Answer(404, errors.NoSuchResource.words()),
    store.Conflict: Answer(409, "Concurrent modification to resource detected."),
    store.Corrupted: Answer(500, "Resource is corrupted and cannot be read."),
    store.StoreUnavailable: Answer(503, UNAVAILABLE),
    store.Denied: Answer(503, UNAVAILABLE),
    BusUnavailable: Answer(503, UNAVAILABLE),
    FiringUnderWay: Answer(503),
    NoCapacity: Answer(503, UNAVAILABLE),
}

_FAULT: Final = Answer(500, INTERNAL, with_cors=False)


def answer_to(error: BaseException) -> Answer:
    """Return how a client is told of *error*."""
    for family in type(error).__mro__:
        if (answer := ANSWERS.get(family)) is not None:
            return answer
    return _FAULT


def is_fault(answer: Answer) -> bool:
    """Tell whether *answer* stands for what nobody foresaw, and belongs in the log."""
    return answer is _FAULT
