"""Why the service refuses something: each with the HTTP status restic understands."""

from http import HTTPStatus


class RefusedError(Exception):
    """A refusal. Its text is for the customer: what happened and what to do."""

    status = HTTPStatus.BAD_REQUEST
    code = "refused"  # for programs, in the control API
    retry_after: int | None = None  # seconds


class UnauthenticatedError(RefusedError):
    """No credential, a wrong one, or one that was revoked."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"


class ForbiddenError(RefusedError):
    """The credential is good, and does not allow this."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class UnknownError(RefusedError):
    """There is no such vault, type or object here."""

    status = HTTPStatus.NOT_FOUND
    code = "unknown"


class BadRequestError(RefusedError):
    """The request contradicts itself: wrong name, wrong bytes, wrong length."""

    code = "bad-request"


class StaleError(RefusedError):
    """The client's view of the vault is older than a removal by somebody else."""

    status = HTTPStatus.CONFLICT
    code = "stale"


class LengthRequiredError(RefusedError):
    """An upload must say its length beforehand."""

    status = HTTPStatus.LENGTH_REQUIRED
    code = "length-required"


class TooLargeError(RefusedError):
    """The declared length is beyond what the type allows."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too-large"


class TooSlowError(RefusedError):
    """The body came too slowly to keep a place for it."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "too-slow"


class RangeError(RefusedError):
    """The asked range lies outside the object."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    code = "range"


class OverQuotaError(RefusedError):
    """There is no room left in the plan."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    code = "over-quota"


class BusyError(RefusedError):
    """Not now; the same request will work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "busy"
    retry_after = 5


class DamagedError(RefusedError):
    """No copy of the object could be read now; repair has been asked for."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "damaged"
    retry_after = 60
