"""Adds, changes and removes the systems of customers that get their notices."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import Actor
from accounts.closed_accounts import require_open
from accounts.models import Account, Delivery, Endpoint, Notice
from accounts.notifications import public_http
from accounts.notifications.letter import Letter, Link
from accounts.notifications.notify import notify
from accounts.notifications.registry import Values, register
from accounts.topics import Topic
from backup_service import clock

MAX_ENDPOINTS = 10  # of an account
FAILING_LONG = timedelta(days=1)
TEST_EVERY = timedelta(minutes=1)


class TooManyEndpointsError(Exception):
    """The account has as many endpoints as it may have."""


class Settings(NamedTuple):
    """What an owner chooses of an endpoint."""

    name: str
    url: str
    topics: Sequence[str]


def endpoints_of(account: Account) -> QuerySet[Endpoint]:
    """Return the account's endpoints in use, oldest first."""
    return Endpoint.objects.filter(account=account, removed_at=None).order_by("pk")


@transaction.atomic
def add(account: Account, *, kind: str, chosen: Settings, actor: Actor) -> Endpoint:
    """Add an endpoint.

    Raises RefusedAddressError, TooManyEndpointsError, ClosedAccountError.
    """
    public_http.check_url(chosen.url, allow_private=settings.ENDPOINTS_MAY_BE_PRIVATE)
    require_open(account)
    if endpoints_of(account).count() >= MAX_ENDPOINTS:
        raise TooManyEndpointsError
    endpoint = Endpoint.objects.create(
        account=account,
        kind=Endpoint.Kind(kind),
        name=chosen.name,
        url=chosen.url,
        topics=[Topic(topic).value for topic in chosen.topics],
    )
    _record(actor, "endpoint.add", endpoint)
    return endpoint


@transaction.atomic
def change(endpoint: Endpoint, *, chosen: Settings, actor: Actor) -> None:
    """Change an endpoint. Raises RefusedAddressError, ClosedAccountError."""
    public_http.check_url(chosen.url, allow_private=settings.ENDPOINTS_MAY_BE_PRIVATE)
    require_open(endpoint.account)
    topics = [Topic(topic).value for topic in chosen.topics]
    changed = Endpoint.objects.filter(pk=endpoint.pk, removed_at=None).update(
        name=chosen.name, url=chosen.url, topics=topics, failing_since=None, error=""
    )
    if changed:
        _record(actor, "endpoint.change", endpoint)


@transaction.atomic
def remove(endpoint: Endpoint, *, actor: Actor) -> None:
    """Send nothing more to an endpoint."""
    if Endpoint.objects.filter(pk=endpoint.pk, removed_at=None).update(removed_at=clock.now()):
        _record(actor, "endpoint.remove", endpoint)


@transaction.atomic
def renew_key(endpoint: Endpoint, *, actor: Actor) -> None:
    """Sign with another key from now on."""
    renewed = Endpoint.objects.filter(pk=endpoint.pk, removed_at=None)
    if renewed.update(key_version=F("key_version") + 1):
        endpoint.refresh_from_db()
        _record(actor, "endpoint.renew-key", endpoint)


@transaction.atomic
def send_test(endpoint: Endpoint) -> bool:
    """Send a test to an endpoint; return False if one was sent within the last minute."""
    Endpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)  # a button pressed twice
    latest = endpoint.deliveries.filter(notice__kind="test").order_by("-pk").first()
    now = clock.now()
    if latest is not None and now - latest.notice.at < TEST_EVERY:
        return False
    number = endpoint.deliveries.count() + 1
    notice = Notice.objects.create(
        account=endpoint.account,
        kind="test",
        key=f"test:{endpoint.public_id}:{number}:{now:%Y%m%d%H%M%S}",
        values={"endpoint": endpoint.name},
    )
    Delivery.objects.create(notice=notice, account=endpoint.account, endpoint=endpoint)
    return True


def send_again(delivery: Delivery) -> bool:
    """Send what was given up once more; return whether it had been."""
    given_up = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.FAILED)
    return bool(
        given_up.update(
            state=Delivery.State.WAITING, attempts=0, next_attempt_at=clock.now(), error=""
        )
    )


def note_outcome(endpoint: Endpoint, error: str) -> None:
    """Record whether an endpoint works, and tell the account once it has failed for a day."""
    now, row = clock.now(), Endpoint.objects.filter(pk=endpoint.pk)
    if not error:
        row.update(worked_at=now, failing_since=None, error="")
        return
    row.filter(failing_since=None).update(failing_since=now)
    row.update(error=error)
    endpoint.refresh_from_db(fields=["failing_since", "removed_at"])
    since = endpoint.failing_since
    if since is None or now - since < FAILING_LONG or endpoint.removed_at is not None:
        return
    notify(
        endpoint.account,
        "endpoint-failing",
        key=f"endpoint-failing:{endpoint.public_id}:{since:%Y%m%d%H%M}",
        endpoint=endpoint.name,
        error=error,
    )


@register("test", Topic.BACKUPS)
def _test_letter(values: Values) -> Letter:
    return Letter(
        subject=gettext("Nightsafe: a test"),
        lines=[
            gettext("This is the test that was asked for on the page of “%(endpoint)s”.")
            % {"endpoint": values["endpoint"]}
        ],
        link=_page(),
    )


@register("endpoint-failing", Topic.BACKUPS)
def _failing_letter(values: Values) -> Letter:
    return Letter(
        subject=gettext("Notices no longer reach “%(endpoint)s”")
        % {"endpoint": values["endpoint"]},
        lines=[
            gettext(
                "For more than a day nothing that we sent to “%(endpoint)s” has arrived: %(error)s."
            )
            % {"endpoint": values["endpoint"], "error": values["error"]},
            gettext(
                "Backups go on. Mend the address on the page of notifications, or remove it; what "
                "was given up can be sent again there."
            ),
        ],
        link=_page(),
    )


def _page() -> Link:
    return Link(gettext("Notifications"), settings.SITE_URL + reverse("notifications"))


def _record(actor: Actor, verb: str, endpoint: Endpoint) -> None:
    account = endpoint.account
    audit.record(actor, verb, endpoint.public_id, account=account, name=endpoint.name)
