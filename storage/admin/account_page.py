"""Collects what the staff page of one account shows, each part for whoever may see it.

Everything is bounded, and comes in a fixed number of queries.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import F

from accounts.models import Account, AuditEvent, Membership, StaffNote, User
from backup_service import clock
from billing.actions import plan_of, subscription_of
from billing.admin.acts import ACTS, Act
from billing.models import Grant
from billing.state import AccountState, State, state_of
from billing.website.words import next_steps
from storage.admin.verdict import Verdict, verdict
from storage.models import Vault, VaultEvent
from storage.vault_status.overview import VaultOverview, overview, vaults_of

SHOWN = 20  # rows of each part
MEMBERS_SHOWN = 50
REFUSED_SHOWN = 3  # in the answer at the top
LATELY = timedelta(days=30)


@dataclass(frozen=True)
class AccountPage:
    """What is shown of an account. Parts that somebody may not see are empty."""

    account: Account
    state: AccountState
    verdict: Verdict
    acts: Sequence[Act]
    steps: Sequence[tuple[Any, str]]
    debt_day: int | None
    members: Sequence[Membership]
    vaults: Sequence[VaultOverview]
    refusals: Sequence[VaultEvent]
    grants: Sequence[Grant]
    notes: Sequence[StaffNote]
    audit: Sequence[AuditEvent]

    @property
    def is_calm(self) -> bool:
        """Whether there is nothing to be done."""
        return not self.verdict.is_refused and self.state.state is State.NORMAL


def account_page(account: Account, user: User | AnonymousUser) -> AccountPage:
    """Return what somebody of staff sees of an account."""
    state = state_of(account)

    def seen(right: str, read: Callable[[], Any]) -> list[Any]:
        return list(read()) if user.has_perm(right) else []

    return AccountPage(
        account=account,
        state=state,
        verdict=verdict(state, _refused(account)),
        acts=acts_for(account, user),
        steps=next_steps(state),
        debt_day=(clock.now() - state.debt.since).days if state.debt else None,
        members=seen("accounts.view_membership", lambda: _members(account)),
        vaults=seen("storage.view_vault", lambda: _vaults(account)),
        refusals=seen("storage.view_vaultevent", lambda: _refusals(account)),
        grants=seen("billing.view_grant", lambda: Grant.objects.of(account)[:SHOWN]),
        notes=seen("accounts.view_staffnote", lambda: _newest(StaffNote, account)),
        audit=seen("accounts.view_auditevent", lambda: _newest(AuditEvent, account)),
    )


def acts_for(account: Account, user: User | AnonymousUser) -> list[Act]:
    """Return what somebody may do to an account, as it stands."""
    return [act for act in ACTS if user.has_perm(act.right) and act.is_offered(account)]


def _refused(account: Account) -> list[Vault]:
    """Return vaults whose backups were refused last, and have not gone through since."""
    stopped = vaults_of(account).filter(refused_at__gte=clock.now() - LATELY)
    return list(stopped.order_by("-refused_at")[:REFUSED_SHOWN])


def _members(account: Account) -> Any:
    seats = Membership.objects.filter(account=account).select_related("user")
    return seats.order_by("pk")[:MEMBERS_SHOWN]


def _vaults(account: Account) -> list[VaultOverview]:
    """Return vaults, those first that were refused, then those that are the longest late."""
    worst_first = (F("refused_at").desc(nulls_last=True), F("late_from").asc(nulls_last=True))
    vaults = vaults_of(account).order_by(*worst_first, "pk")[:SHOWN]
    return overview(vaults, plan_of(subscription_of(account)))


def _refusals(account: Account) -> Any:
    kind = VaultEvent.Kind.REFUSAL
    of_account = VaultEvent.objects.filter(vault__account=account, kind=kind)
    return of_account.select_related("vault", "credential").order_by("-last_at", "-pk")[:SHOWN]


def _newest(model: Any, account: Account) -> Any:
    return model.objects.filter(account=account).order_by("-pk")[:SHOWN]
