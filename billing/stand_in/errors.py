"""Errors in the shape that Stripe answers them."""

from typing import Any


class ApiError(Exception):
    """An answer that is no success. `keeps` says whether what was done until then stays."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str = "",
        param: str = "",
        decline_code: str = "",
        keeps: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.keeps = status, keeps
        said = {"type": kind, "message": message}
        said |= {"code": code} if code else {}
        said |= {"param": param} if param else {}
        said |= {"decline_code": decline_code} if decline_code else {}
        self.body: dict[str, Any] = {"error": said}


def missing(kind: str, found: str) -> ApiError:
    """Return the error for something that is not there."""
    text = f"No such {kind}: '{found}'"
    return ApiError(text, status=404, code="resource_missing", param="id")
