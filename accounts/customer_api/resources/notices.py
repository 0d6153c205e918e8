"""Notices: what the account's people were told, and what the token's member is mailed about."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import actor_of, require
from accounts.customer_api.paging import page
from accounts.customer_api.parsing import checked
from accounts.customer_api.resources import shapes
from accounts.customer_api.schema import PAGE, Shape, errors, example
from accounts.customer_api.views import ApiView
from accounts.models import Membership, Notice
from accounts.notifications import bounces, preferences
from accounts.notifications.registry import kind_of
from accounts.roles import Right
from accounts.topics import ReportRhythm, Topic


@example({"reports": "weekly"})
class MailRequest(Shape):
    """What of the mails is to change; the rest stays."""

    backups = serializers.BooleanField(required=False)
    billing = serializers.BooleanField(required=False)
    reports = serializers.ChoiceField(choices=ReportRhythm.values, required=False)


class NoticesView(ApiView):
    """All notices."""

    @extend_schema(
        operation_id="notices_list",
        summary="List notices",
        tags=["notifications"],
        parameters=PAGE,
        responses={200: shapes.NoticePage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List what the account's people were told, as far as the token's member may read it."""
        member = require(request, Right.SEE_OWN_ACTIVITY).membership
        seen = preferences.notices_seen_by(member).select_related("device")
        return page(request, seen, _shown)


class MailView(ApiView):
    """What the token's member is mailed about."""

    @extend_schema(
        operation_id="notifications_get",
        summary="Get what you are mailed about",
        tags=["notifications"],
        responses={200: shapes.MailShape, **errors(401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Tell what whoever made the token is mailed about, and whether mail reaches them."""
        return Response(_mail(require(request, Right.SEE_OWN_ACTIVITY).membership))

    @extend_schema(
        operation_id="notifications_change",
        summary="Choose what you are mailed about",
        tags=["notifications"],
        request=MailRequest,
        responses={200: shapes.MailShape, **errors(400, 401, 403)},
    )
    def patch(self, request: Request) -> Response:
        """Change it. What is about security comes whatever is chosen."""
        member = require(request, Right.CHANGE_OWN_MAIL).membership
        said, now = checked(MailRequest, request), preferences.preference_of(member)
        member.mail_preference = preferences.choose(
            member,
            backups=said.get("backups", now.backups),
            billing=said.get("billing", now.billing),
            reports=said.get("reports", now.reports),
            actor=actor_of(request),
        )
        return Response(_mail(member))


def _mail(member: Membership) -> dict[str, Any]:
    chosen = preferences.preference_of(member)
    email = member.user.email
    return {
        "email": email,
        "backups": chosen.backups,
        "billing": preferences.wants(member, Topic.BILLING),
        "security": preferences.wants(member, Topic.SECURITY),
        "reports": chosen.reports,
        "is_reachable": not bounces.suppressed().filter(email=email.lower()).exists(),
    }


def _shown(found: Sequence[Notice]) -> list[dict[str, Any]]:
    return [_notice(one) for one in found]


def _notice(notice: Notice) -> dict[str, Any]:
    kind = kind_of(notice.kind)
    letter = kind.write(notice.values)
    return {
        "id": notice.pk,
        "kind": notice.kind,
        "topic": kind.topic.value,
        "at": notice.at,
        "device": notice.device.public_id if notice.device else None,
        "subject": letter.subject,
        "text": letter.summary,
        "link": letter.link.url if letter.link else None,
    }
