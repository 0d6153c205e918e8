"""The base of the API's views: a token, a limit, and one form for errors."""

from collections.abc import Sequence
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.client_address import client_address
from accounts.customer_api import limits
from accounts.customer_api.authentication import TokenAuthentication, access_of
from accounts.customer_api.parsing import StrictJSONParser
from accounts.tokens.tokens import TokenAccess


class ApiView(APIView):
    """A view for programs that bring a token; what it opens is asked of `authentication`."""

    authentication_classes: Sequence[type[BaseAuthentication]] = (TokenAuthentication,)
    parser_classes: Sequence[type[BaseParser]] = (StrictJSONParser,)
    renderer_classes: Sequence[type[BaseRenderer]] = (JSONRenderer,)
    permission_classes = ()
    is_open = False  # whether somebody without a token may ask

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the request and demand a token. Raises Throttled, NotAuthenticated.

        One with a token that opens nothing counts as one without any, and is asked about once.
        """
        self._left: tuple[int, int, int] | None = None
        refused: AuthenticationFailed | None = None
        try:
            known = request.auth
        except AuthenticationFailed as error:
            known, refused = None, error
        if isinstance(known, TokenAccess):
            who, most = f"token:{known.token.pk}", limits.REQUESTS
        else:
            who, most = f"from:{client_address(request._request)}", limits.ANONYMOUS_REQUESTS  # noqa: SLF001
        left, left_for = limits.count(request, who, most=most)
        self._left = (left, left_for, most)
        if refused is not None:
            raise refused
        if not self.is_open and known is None:
            raise NotAuthenticated("Send an API token: `Authorization: Bearer nst_...`.")
        super().initial(request, *args, **kwargs)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Add what is left of the limit, and let nobody keep the answer."""
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        if (told := getattr(self, "_left", None)) is not None:
            limits.tell(answer, told[0], told[1], most=told[2])
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


__all__ = ["ApiView", "access_of"]
