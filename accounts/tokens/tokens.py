"""Makes, recognises and revokes API tokens.

A token reads `nst_<prefix>_<secret>`: eight characters to know it by, of base32, and 256 random
bits in the alphabet of base64url. Its SHA-256 is kept, and nothing else of the secret: it is random
enough that a slow hash would add nothing.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account, ApiToken, Membership
from accounts.notifications.notify import notify
from accounts.notifications.wording import iso
from accounts.roles import OF_ROLE, OF_SCOPE, Right
from backup_service import clock

KIND, FULL_TOKEN = "nst", "full-token"
LONGEST_LABEL = 100  # characters
MOST_TOKENS = 100  # of an account, those that still open something
LONGEST_FULL = timedelta(days=30)  # for which a token of full scope is good
USED_EVERY = timedelta(minutes=1)  # how exactly the last use is noted
_FORM = re.compile(r"nst_([a-z2-7]{8})_[A-Za-z0-9_-]{43}", re.ASCII)


class TooManyTokensError(Exception):
    """The account has as many tokens as one may have."""


class NoSeatError(Exception):
    """Nobody is there any more for whom a token could act. The text is for customers."""


class TooLongError(Exception):
    """A token of full scope is not to be good for so long. The text is for customers."""

    def __init__(self) -> None:
        super().__init__(
            gettext("A token of full scope is good for %(days)s days at most.")
            % {"days": LONGEST_FULL.days}
        )


@dataclass(frozen=True)
class NewToken:
    """A token and its text, which is shown once and kept nowhere."""

    token: ApiToken
    text: str = field(repr=False)


@dataclass(frozen=True)
class TokenAccess:
    """What a token opens: an account, for a member, with these rights."""

    token: ApiToken
    account: Account
    membership: Membership
    rights: frozenset[Right]

    def may(self, right: Right) -> bool:
        """Return whether the token has a right."""
        return right in self.rights

    @property
    def is_full(self) -> bool:
        """Whether it stands for what people prove on the website: who they are.

        Its maker has proved it when the token was made, and it ends soon.
        """
        return self.token.scope == ApiToken.Scope.FULL


@transaction.atomic
def create(
    membership: Membership,
    *,
    scope: str,
    label: str,
    actor: Actor,
    expires_at: datetime | None = None,
) -> NewToken:
    """Make a token for a member.

    Raises TooManyTokensError, TooLongError, and NoSeatError for somebody who is a member no longer,
    is one in another role by now, or whose account is being erased.
    """
    longest = clock.now() + LONGEST_FULL
    if scope == ApiToken.Scope.FULL and (expires_at is None or expires_at > longest):
        raise TooLongError
    account = _locked_for(membership)
    if ApiToken.objects.usable(clock.now()).filter(account=account).count() >= MOST_TOKENS:
        raise TooManyTokensError(
            gettext("An account has at most %(most_tokens)s tokens. Revoke one that is not used.")
            % {"most_tokens": MOST_TOKENS}
        )
    prefix = base64.b32encode(secrets.token_bytes(5)).decode("ascii").lower()
    text = f"{KIND}_{prefix}_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        account=account,
        membership=membership,
        prefix=f"{KIND}_{prefix}",
        digest=_digest(text),
        scope=scope,
        label=label,
        expires_at=expires_at,
    )
    audit.record(actor, "token.create", token.prefix, account=account, label=label, scope=scope)
    if scope == ApiToken.Scope.FULL and expires_at is not None:
        _tell(token, until=expires_at, actor=actor)
    return NewToken(token, text)


def _locked_for(membership: Membership) -> Account:
    """Lock a member's account, and return it. Raises NoSeatError if they may have no token now."""
    account = Account.objects.select_for_update(no_key=True).get(pk=membership.account_id)
    if account.state == Account.State.ERASED:
        raise NoSeatError(gettext("This account is erased."))
    if not account.memberships.filter(pk=membership.pk, role=membership.role).exists():
        raise NoSeatError(
            gettext("The members changed meanwhile. Look again, and repeat what you want.")
        )
    return account


def _tell(token: ApiToken, *, until: datetime, actor: Actor) -> None:
    """Tell the account's people of a token of full scope, as of other ways to get at everything."""
    notify(
        token.account,
        FULL_TOKEN,
        key=f"token:{token.prefix}",
        name=token.account.name,
        label=token.label,
        prefix=token.prefix,
        by=actor.label,
        at=iso(token.created_at),
        until=iso(until),
    )


def authenticate_token(header: str | None) -> TokenAccess | None:
    """Return what an Authorization header opens, or None for whatever opens nothing.

    Takes `Bearer nst_...` and nothing else. The rights are those of the scope that the member has
    as well, as their role is now. A use is noted, about once a minute.
    """
    scheme, _, text = (header or "").partition(" ")
    form = _FORM.fullmatch(text.strip(" "))
    if scheme.lower() != "bearer" or form is None:
        return None
    now = clock.now()
    tokens = ApiToken.objects.usable(now).select_related("account", "membership__user")
    token = tokens.filter(prefix=f"{KIND}_{form[1]}").first()
    digest = _digest(text.strip(" "))
    if token is None or not hmac.compare_digest(token.digest, digest):
        return None
    member = token.membership
    if member is None or not member.user.is_active:
        return None
    _note_use(token, now)
    rights = OF_SCOPE[token.scope] & OF_ROLE[member.role]
    return TokenAccess(token, token.account, member, rights)


def tokens_of(account: Account) -> QuerySet[ApiToken]:
    """Return an account's tokens, those in use first, then those that ran out or were revoked."""
    tokens = ApiToken.objects.filter(account=account).select_related("membership__user")
    has_ended = Q(revoked_at__isnull=False) | Q(expires_at__lte=clock.now())
    return tokens.order_by(
        Case(When(has_ended, then=1), default=0), F("revoked_at").desc(nulls_first=True), "-pk"
    )


def revoke(token: ApiToken, *, actor: Actor) -> bool:
    """End a token; return whether it was still good."""
    return _revoke(ApiToken.objects.filter(pk=token.pk), actor=actor) > 0


def revoke_all_of(membership: Membership, *, actor: Actor) -> int:
    """End the tokens of a member who leaves; return how many."""
    return _revoke(ApiToken.objects.filter(membership=membership), actor=actor)


@transaction.atomic
def _revoke(tokens: QuerySet[ApiToken], *, actor: Actor) -> int:
    count = 0
    for token in tokens.filter(revoked_at=None).select_related("account").order_by("pk"):
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now()):
            about = {"label": token.label}
            audit.record(actor, "token.revoke", token.prefix, account=token.account, **about)
            count += 1
    return count


def actor_of_token(access: TokenAccess, *, address: str | None) -> Actor:
    """Return the actor for what a program does with a token."""
    token = access.token
    return Actor.api_token(
        token.prefix, label=token.label, user=access.membership.user, address=address
    )


def _note_use(token: ApiToken, now: datetime) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii", "replace")).hexdigest()
