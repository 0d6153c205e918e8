"""Reasons to refuse a request, each with the HTTP status that restic understands."""

from http import HTTPStatus

# Stock restic (0.18 and later) gives up at once when it is answered with one of these; everything
# else it tries again for a quarter of an hour. (507 is one of them from 0.19 on.)
ENDS_AT_ONCE = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.INSUFFICIENT_STORAGE,
}


class RefusedError(Exception):
    """A refusal. Its text is for the customer: what happened and what to do."""

    status = HTTPStatus.BAD_REQUEST
    code = "refused"  # for programs
    retry_after: int | None = None  # seconds
    hangs_up = False  # without reading a body to its end: who is refused so may keep no thread
    is_news = True  # for the vault's owner, who is shown what was refused
    can_mend = False  # whether the client can mend it, by sending it again or as it should be

    @property
    def data_status(self) -> HTTPStatus:
        """The status in the data protocol: what the client cannot mend ends its run at once."""
        if self.can_mend or self.status in ENDS_AT_ONCE:
            return self.status
        return HTTPStatus.FORBIDDEN


class UnauthenticatedError(RefusedError):
    """No credential, a wrong one, or one that was revoked."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"
    hangs_up = True


class ForbiddenError(RefusedError):
    """The credential is good, and does not allow this."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class DeletingError(ForbiddenError):
    """The vault's owner has asked for its deletion, and can still keep it."""

    code = "deleting"


class SetUpError(ForbiddenError):
    """The vault was set up already, by a config of other bytes. That is no backup's refusal."""

    code = "set-up"
    is_news = False


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


class TooManyError(RefusedError):
    """There are as many of these as there may be."""

    status = HTTPStatus.FORBIDDEN
    code = "too-many"


class LengthRequiredError(RefusedError):
    """An upload must say its length beforehand."""

    status = HTTPStatus.LENGTH_REQUIRED
    code = "length-required"
    can_mend = True


class TooLargeError(RefusedError):
    """The declared length is beyond what the type allows."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too-large"


class TooShortError(RefusedError):
    """No sealed object of its type is as short as what was declared."""

    code = "too-short"


class TooSlowError(RefusedError):
    """The body came too slowly to keep a slot for it."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "too-slow"
    can_mend = True


class RangeError(RefusedError):
    """The asked range lies outside the object, which has `size` bytes."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    code = "range"

    def __init__(self, size: int) -> None:
        super().__init__(f"The object has {size} bytes.")
        self.size = size


class OverQuotaError(RefusedError):
    """There is no room left in the plan."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    code = "over-quota"


class BusyError(RefusedError):
    """Not now; the same request will work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "busy"
    retry_after = 5
    can_mend = True


class CrowdedError(BusyError):
    """The account has too much under way at once; the same request will work later."""

    hangs_up = True


class DamagedError(RefusedError):
    """No replica of the object could be read now; repair has been asked for."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "damaged"
    retry_after = 60
    can_mend = True
