"""Changes and reads which plan an account is on."""

from datetime import datetime

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account
from backup_service import clock
from billing.entitlements import Entitlements, Extra, Held, Standing, entitlements
from billing.models import Grant, Plan, Subscription

DEFAULT_PLAN = "free"


class PaidForError(ValueError):
    """The plan comes from a subscription with Stripe, which alone can change it.

    Also from one that Stripe ended, as long as something is owed for it.
    """

    def __init__(self) -> None:
        super().__init__(
            "This account pays for its plan through Stripe, or owes for it, so Stripe says what "
            "plan it is on. Cancel or change the subscription there first, and settle or void what "
            "is owed; to help for a while, grant room."
        )


@transaction.atomic
def give_plan(account: Account, *, plan: str, reason: str, actor: Actor) -> Subscription:
    """Put an account that does not pay on a plan, by staff and with a reason.

    Raises PaidForError for one that does or did, as long as Stripe's word would soon undo it,
    ValueError for one that is being erased, and Plan.DoesNotExist for an unknown slug.
    """
    rows = Subscription.objects.select_for_update(no_key=True, of=("self",)).filter(account=account)
    rows.first()  # before the account, as whoever closes it for a debt does
    locked = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if locked.state == Account.State.ERASED:
        raise ValueError("This account is erased.")
    subscription = rows.first()
    if subscription and subscription.stripe_subscription:
        raise PaidForError
    return subscribe(account, plan=plan, actor=actor, reason=reason)


@transaction.atomic
def subscribe(account: Account, *, plan: str, actor: Actor, reason: str = "") -> Subscription:
    """Put an account on a plan at once. Raises Plan.DoesNotExist for an unknown slug."""
    chosen = Plan.objects.get(slug=plan)
    subscription, is_new = Subscription.objects.get_or_create(
        account=account, defaults={"plan": chosen}
    )
    if not is_new and subscription.plan_id != chosen.pk:
        subscription.plan, subscription.plan_since = chosen, clock.now()
        subscription.save(update_fields=["plan", "plan_since"])
    detail = {"plan": plan} | ({"reason": reason} if reason else {})
    audit.record(actor, "plan.choose", account.public_id, account=account, **detail)
    return subscription


def subscription_of(account: Account) -> Subscription | None:
    """Return an account's subscription with its plan; None while it is on the free plan."""
    return Subscription.objects.select_related("plan").filter(account=account).first()


def plan_of(subscription: Subscription | None) -> Plan:
    """Return the plan of a subscription; without one it is the free plan."""
    return subscription.plan if subscription else Plan.objects.get(slug=DEFAULT_PLAN)


def extras_of(account: Account, now: datetime) -> list[Extra]:
    """Return what staff granted an account and holds at `now`."""
    rows = Grant.objects.filter(account=account, starts_at__lte=now, ends_at__gt=now)
    return [row.extra for row in rows]


def held_by(account: Account) -> Held:
    """Return what an account holds, from the figures that the write path keeps."""
    usage = getattr(account, "usage", None)
    if usage is None:
        return Held(0)
    return Held(usage.live_bytes + usage.reserved_bytes, usage.tombstoned_bytes)


def standing_of(
    account: Account,
    subscription: Subscription | None,
    now: datetime,
    *,
    with_held: bool = False,
) -> Standing:
    """Return how an account stands; what it holds is only asked for if wanted."""
    return Standing(
        is_open=account.state == Account.State.ACTIVE,
        is_closed=account.state == Account.State.CLOSED,
        is_erased=account.state == Account.State.ERASED,
        unpaid_since=subscription.unpaid_since if subscription else None,
        retry_at=subscription.retry_at if subscription else None,
        extras=extras_of(account, now),
        held=held_by(account) if with_held else None,
    )


def entitlements_of(account: Account) -> Entitlements:
    """Return what `account` may do right now; an account without a plan is on the free one.

    Whether it holds more than its quota is for the write path to decide, in one UPDATE.
    """
    subscription, now = subscription_of(account), clock.now()
    terms = plan_of(subscription).terms
    return entitlements(terms, standing_of(account, subscription, now), now)
