"""What staff do to an account: each act with its form, what to know before it, its function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms

from accounts.actions import choose_continent, freeze_account, unfreeze_account
from accounts.audit import Actor
from accounts.closed_accounts import ClosedAccountError
from accounts.closing.actions import ClosingError, close
from accounts.closing.plan import COOLING_OFF
from accounts.continents import Continent
from accounts.models import Account, Closing
from accounts.staff.notes import LONGEST, add_note
from accounts.templatetags.amounts import amount
from backup_service import clock
from billing.actions import give_plan
from billing.closing import reopen
from billing.dunning import Debt, Step
from billing.grants import LARGEST_GRANT, LONGEST_GRANT, LONGEST_REASON, grant
from billing.models import Plan
from billing.state import AccountState, state_of

GB = 10**9
Values = Mapping[str, Any]


class ReasonForm(forms.Form):
    """Why something is done; it is on record, and only staff read it."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        help_text="On record with your name, for staff. Whom it is about may ask to see it.",
    )


class RoomForm(ReasonForm):
    """More room for a while."""

    quota_gb = forms.DecimalField(
        label="More room, in GB",
        min_value=1,
        max_value=LARGEST_GRANT // GB,
        decimal_places=3,
    )
    days = forms.IntegerField(
        label="For how many days", min_value=1, max_value=LONGEST_GRANT, initial=14
    )
    field_order = ("quota_gb", "days", "reason")


class GraceForm(ReasonForm):
    """More days before what follows from not paying."""

    grace_days = forms.IntegerField(
        label="Days before each step", min_value=1, max_value=LONGEST_GRANT, initial=14
    )
    days = forms.IntegerField(
        label="For how many days this holds",
        min_value=1,
        max_value=LONGEST_GRANT,
        initial=90,
        help_text="When it is over, the steps are counted as if nothing had been given.",
    )
    field_order = ("grace_days", "days", "reason")


class PlanForm(ReasonForm):
    """Another plan, given by staff."""

    plan = forms.ModelChoiceField(Plan.objects.all(), to_field_name="slug", empty_label=None)
    field_order = ("plan", "reason")


class ContinentForm(forms.Form):
    """Where new backups of the account live."""

    continent = forms.ChoiceField(choices=[("", "Anywhere"), *Continent.choices], required=False)


class NoteForm(forms.Form):
    """A note for other staff."""

    text = forms.CharField(
        label="Note",
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="It stays for good, and the account’s owner may ask to see it.",  # noqa: RUF001
    )


@dataclass(frozen=True)
class Act:
    """Something that staff with a right do to an account.

    `consequence` says in sentences what will be, `now` what is, beside the form; `do` does it and
    returns what was done, and raises ValueError with a text for people. `is_offered` says whether
    there is any point in it.
    """

    slug: str
    title: str
    right: str
    form: type[forms.Form]
    consequence: Callable[[Account, Values], list[str]]
    do: Callable[[Account, Values, Actor], str]
    is_offered: Callable[[Account], bool] = lambda account: True
    now: Callable[[Account], list[str]] = lambda account: []


def _room_will(account: Account, given: Values) -> list[str]:
    state = state_of(account)
    quota, bytes_given = state.quota, int(given["quota_gb"] * GB)
    until = clock.now() + timedelta(days=given["days"])
    lines = [
        f"The account has {amount(quota + bytes_given)} instead of {amount(quota)}, "
        f"until {until:%-d %B %Y}. {amount(state.used)} are used.",
        "It does not pay for this. Afterwards the plan holds again, and nothing is taken away.",
    ]
    if state.used > quota + bytes_given:
        lines.append("That is still less than what is used: uploads go on being refused.")
    return lines


def _room_now(account: Account) -> list[str]:
    state = state_of(account)
    lines = [f"{amount(state.used)} of {amount(state.quota)} are used."]
    if state.used > state.quota:
        missing = amount(state.used - state.quota)
        lines.append(f"{missing} are missing for what is there; new backups take more.")
    return lines


def _give_room(account: Account, given: Values, actor: Actor) -> str:
    size = int(given["quota_gb"] * GB)
    made = grant(account, quota_bytes=size, days=given["days"], reason=given["reason"], actor=actor)
    return f"Granted {amount(size)} until {made.ends_at:%-d %B %Y}."


def _grace_will(account: Account, given: Values) -> list[str]:
    state = state_of(account)
    if state.debt is None:
        return ["Nothing is owed at present; this counts when a payment fails meanwhile."]
    now, debt = clock.now(), state.debt
    later = Debt(debt.since, debt.retry_at, debt.extra_days + given["grace_days"])
    words = {
        Step.READ_ONLY: "New backups are paused from",
        Step.RESTORE_ONLY: "Only restores work from",
        Step.ENDED: "Restores end from",
    }
    lines = [
        f"{text} {later.begins(step):%-d %B %Y} instead of {debt.begins(step):%-d %B %Y}."
        for step, text in words.items()
    ]
    if later.step(now) > Step.GRACE:
        lines.append("That is not enough for new backups now: give more days for that.")
    return lines


def _give_grace(account: Account, given: Values, actor: Actor) -> str:
    made = grant(
        account,
        grace_days=given["grace_days"],
        days=given["days"],
        reason=given["reason"],
        actor=actor,
    )
    return f"Gave {made.grace_days} more days, until {made.ends_at:%-d %B %Y}."


def _freeze(account: Account, given: Values, actor: Actor) -> str:
    is_done = freeze_account(account, actor=actor, reason=given["reason"])
    return "The account is frozen." if is_done else "It was not active; nothing was changed."


def _unfreeze(account: Account, given: Values, actor: Actor) -> str:
    is_done = unfreeze_account(account, actor=actor, reason=given["reason"])
    return "The freeze is lifted." if is_done else "It was not frozen; nothing was changed."


def _close(account: Account, given: Values, actor: Actor) -> str:
    try:
        made = close(
            account, reason=Closing.Reason.OPERATOR.value, actor=actor, note=given["reason"]
        )
    except ClosingError as error:
        raise ValueError(str(error)) from error
    return f"The account is closed, and erased after {made.erase_after:%-d %B %Y}."


def _reopen(account: Account, given: Values, actor: Actor) -> str:
    try:
        reopen(account, actor=actor, note=given["reason"])
    except ClosingError as error:
        raise ValueError(str(error)) from error
    return "The account is open again."


def _plan_will(account: Account, given: Values) -> list[str]:
    state, plan = state_of(account), given["plan"]
    lines = [
        f"The account is on {plan.name} ({amount(plan.quota_bytes)}) instead of "
        f"{state.plan.name} ({amount(state.plan.quota_bytes)}), at once and without paying."
    ]
    if state.used > plan.quota_bytes:
        lines.append("It holds more than that: it becomes read-only, and nothing is taken away.")
    return lines


def _put_on_plan(account: Account, given: Values, actor: Actor) -> str:
    give_plan(account, plan=given["plan"].slug, reason=given["reason"], actor=actor)
    return f"The account is on the plan {given['plan'].name}."


def _put_on_continent(account: Account, given: Values, actor: Actor) -> str:
    try:
        changed = choose_continent(account, continent=given["continent"], actor=actor)
    except ClosedAccountError as error:
        raise ValueError(str(error)) from error
    return "New backups live there." if changed else "That is how it was."


def _note(account: Account, given: Values, actor: Actor) -> str:
    add_note(account, text=given["text"], actor=actor)
    return "The note is kept."


def _owes(account: Account) -> bool:
    state: AccountState = state_of(account)
    return state.debt is not None and _is_kept(account)


def _is_kept(account: Account) -> bool:
    """Whether an account is not erased: whatever is written of one then, nothing erases later."""
    return account.state != Account.State.ERASED


def _is(state: str) -> Callable[[Account], bool]:
    return lambda account: account.state == state


ACTS = (
    Act(
        "room",
        "Grant more room",
        "billing.add_grant",
        RoomForm,
        _room_will,
        _give_room,
        _is_kept,
        now=_room_now,
    ),
    Act("grace", "Extend grace", "billing.add_grant", GraceForm, _grace_will, _give_grace, _owes),
    Act(
        "freeze",
        "Freeze",
        "accounts.suspend_account",
        ReasonForm,
        lambda account, given: [
            "Nothing is stored or removed any more, from the next request on. Restores work.",
            "Its members see that the account is frozen.",
        ],
        _freeze,
        _is(Account.State.ACTIVE),
    ),
    Act(
        "unfreeze",
        "Lift the freeze",
        "accounts.suspend_account",
        ReasonForm,
        lambda account, given: ["Backups go on, as far as plan and payment allow."],
        _unfreeze,
        _is(Account.State.FROZEN),
    ),
    Act(
        "close",
        "Close",
        "accounts.close_account",
        ReasonForm,
        lambda account, given: [
            f"Nothing is stored any more, and after {COOLING_OFF.days} days everything is erased: "
            "files, names and people who are in no other account.",
            "Until then restores work and it can be opened again. Owners and admins are told.",
            "Its subscription ends at once.",
        ],
        _close,
        lambda account: not account.is_closed,
    ),
    Act(
        "reopen",
        "Open again",
        "accounts.close_account",
        ReasonForm,
        lambda account, given: ["The account is as it was. A plan that was paid for has ended."],
        _reopen,
        lambda account: account.state == Account.State.CLOSED,
    ),
    Act(
        "plan",
        "Put on a plan",
        "billing.change_subscription",
        PlanForm,
        _plan_will,
        _put_on_plan,
        _is_kept,
    ),
    Act(
        "continent",
        "Choose the continent",
        "accounts.change_account",
        ContinentForm,
        lambda account, given: ["New backups go there. What is stored stays where it is."],
        _put_on_continent,
        lambda account: not account.is_closed,
    ),
    Act(
        "note",
        "Write a note",
        "accounts.add_staffnote",
        NoteForm,
        lambda account, given: ["Other staff read it on this page; it is never changed."],
        _note,
        _is_kept,
    ),
)
