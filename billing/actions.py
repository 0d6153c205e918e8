"""Changes and reads which plan an account is on."""

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account
from backup_service import clock
from billing.entitlements import Entitlements, Standing, Terms, entitlements
from billing.models import Plan, Subscription

DEFAULT_PLAN = "free"


@transaction.atomic
def subscribe(account: Account, *, plan: str, actor: Actor) -> Subscription:
    """Put an account on a plan at once. Raises Plan.DoesNotExist for an unknown slug."""
    chosen = Plan.objects.get(slug=plan)
    subscription, _ = Subscription.objects.update_or_create(
        account=account, defaults={"plan": chosen}
    )
    audit.record(actor, "plan.choose", account.public_id, account=account, plan=plan)
    return subscription


def entitlements_of(account: Account) -> Entitlements:
    """Return what `account` may do right now; an account without a plan is on the free one."""
    subscription = Subscription.objects.select_related("plan").filter(account=account).first()
    plan = subscription.plan if subscription else Plan.objects.get(slug=DEFAULT_PLAN)
    return entitlements(
        Terms(
            quota=plan.quota_bytes,
            copies=plan.copies,
            device_limit=plan.device_limit,
            rooms=plan.rooms,
        ),
        Standing(
            is_open=account.state == Account.State.ACTIVE,
            unpaid_since=subscription.unpaid_since if subscription else None,
        ),
        clock.now(),
    )
