"""Addresses of the payment service, at which a person pays, or changes plan and card."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import require
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError, ProblemError
from accounts.customer_api.schema import IDEMPOTENT, Shape, errors, example
from accounts.customer_api.views import ApiView
from accounts.roles import Right
from billing.customer_api import shapes
from billing.models import Interval, Plan
from billing.stripe import checkout
from billing.stripe.errors import (
    AlreadySubscribedError,
    ClosedAccountError,
    NotConfiguredError,
    NotOnSaleError,
    PaymentError,
)


@example({"plan": "plus", "interval": "year"})
class CheckoutRequest(Shape):
    """A plan to pay for."""

    plan = serializers.CharField(max_length=50, help_text="Its slug")
    interval = serializers.ChoiceField(choices=Interval.values)


class CheckoutView(ApiView):
    """Begin a payment."""

    @extend_schema(
        operation_id="billing_checkout",
        summary="Begin to pay for a plan",
        tags=["billing"],
        parameters=IDEMPOTENT,
        request=CheckoutRequest,
        responses={201: shapes.AddressShape, **errors(400, 401, 403, 409, 422, 503)},
    )
    @idempotent(secrets=("url",))
    def post(self, request: Request) -> Response:
        """Return the page at which a plan is paid for; an earlier page of the account closes."""
        account = require(request, Right.CHANGE_BILLING).account
        said = checked(CheckoutRequest, request)
        plan = Plan.objects.filter(slug=said["plan"]).first()
        if plan is None:
            raise ValidationError({"plan": "There is no such plan; see the list of plans."})
        with payment_problems():
            url = checkout.checkout(account, plan=plan, interval=said["interval"])
        return Response({"url": url}, status=status.HTTP_201_CREATED)


class PortalView(ApiView):
    """The payment service's portal."""

    @extend_schema(
        operation_id="billing_portal",
        summary="Open the portal",
        tags=["billing"],
        parameters=IDEMPOTENT,
        request=None,
        responses={201: shapes.AddressShape, **errors(400, 401, 403, 409, 422, 503)},
    )
    @idempotent(secrets=("url",))
    def post(self, request: Request) -> Response:
        """Return the page at which plan and card are changed, cancelled, and all invoices seen."""
        account = require(request, Right.CHANGE_BILLING).account
        with payment_problems():
            url = checkout.portal(account)
        return Response({"url": url}, status=status.HTTP_201_CREATED)


@contextmanager
def payment_problems() -> Iterator[None]:
    """Turn what the payment service does not do into problems."""
    try:
        yield
    except AlreadySubscribedError as error:
        raise ConflictError(
            "This account has a paid plan already, and pays only once. Open the portal to change "
            "or cancel it.",
            "already-subscribed",
        ) from error
    except ClosedAccountError as error:
        raise ConflictError(str(error), "closed") from error
    except (NotOnSaleError, NotConfiguredError) as error:
        raise ConflictError(str(error), "not-on-sale") from error
    except PaymentError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "payments-away", str(error)) from error
