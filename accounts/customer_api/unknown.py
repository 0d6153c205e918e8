"""What is answered where the API has nothing: a problem as everywhere else, and no page."""

from typing import Any, NoReturn

from django.http import HttpRequest
from django.urls import resolve
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from accounts.customer_api.views import ApiView

NAME = "api_unknown"


@extend_schema(exclude=True)
class UnknownView(ApiView):
    """Every address under `/api/v1/` that is none, whatever the method, for anybody.

    One that lacks its slash is not led on to the right one: many programs would repeat a POST as a
    GET then.
    """

    is_open = True

    @property
    def default_response_headers(self) -> dict[str, str]:
        """No `Allow`: there is nothing here that takes a method."""
        return {}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take whatever is accepted: it is not there in any form."""
        return super().perform_content_negotiation(request, force=True)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> NoReturn:
        """Answer every method. Raises NotFound."""
        meant = _meant(request.path_info)
        said = f" Did you mean {meant}?" if meant else ""
        raise NotFound(f"The API has nothing at this address.{said}")

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> NoReturn:
        """Answer as to every other method. Raises NotFound."""
        self.http_method_not_allowed(request)


def _meant(path: str) -> str:
    """Return the address of the API that differs in its last slash only, or ""."""
    other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    is_one = other.startswith("/api/v1/") and resolve(other).url_name != NAME
    return other if is_one else ""
