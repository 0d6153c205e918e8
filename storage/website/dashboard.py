"""The dashboard: how all computers stand, how full the plan is, and the computers themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import Seat, present_seat, seat_or_none
from accounts.roles import Right
from backup_service import clock
from billing.actions import entitlements_of
from billing.entitlements import Entitlements
from storage.vault_status import dashboard as reading
from storage.vault_status import overview, samples
from storage.vault_status.forecast import Forecast, Sample, forecast
from storage.website import computer_table, live
from storage.website.charts import chart
from storage.website.computer_table import Wish

BILLING = "Billing"  # as reasons call the page
FEW = 6  # computers, below which each has a card
CHART_DAYS = 90
PARTS = {
    "said": "storage/dashboard_said.html",
    "now": "storage/dashboard_now.html",
    "room": "storage/dashboard_room.html",
    "computers": "storage/dashboard_computers.html",
}


@dataclass(frozen=True)
class _Shown:
    """What both the page and its parts need."""

    seat: Seat
    wish: Wish
    entitlements: Entitlements
    computers: reading.Computers
    quota: overview.QuotaOverview

    @classmethod
    def read(cls, request: HttpRequest, seat: Seat) -> "_Shown":
        allowed = entitlements_of(seat.account)
        plan = overview.plan_of(seat.account)
        return cls(
            seat=seat,
            wish=Wish.parse(request.GET),
            entitlements=allowed,
            computers=reading.computers(seat, plan),
            quota=overview.quota_of(seat.account, plan, allowed.quota),
        )

    @property
    def context(self) -> dict[str, Any]:
        wish, computers = self.wish, self.computers
        has_table = len(computers.vaults) >= FEW or (bool(computers.vaults) and not wish.is_plain)
        context = {
            "account": self.seat.account,
            "computers": computers,
            "quota": self.quota,
            "entitlements": self.entitlements,
            "leads_to_billing": self._leads_to_billing,
            "wish": wish,
            "has_table": has_table,
        }
        return {**context, **self._table()} if has_table else context

    @property
    def _leads_to_billing(self) -> bool:
        """Whether what is not allowed is put right on a page that this member may see."""
        names = (BILLING, gettext(BILLING))  # what has a day in it is in the reader's language
        is_named = any(name in self.entitlements.reason for name in names)
        return is_named and self.seat.may(Right.SEE_BILLING)

    def _table(self) -> dict[str, Any]:
        page = computer_table.page_of(self.computers.vaults, self.wish)
        return {
            "page": page,
            "heads": computer_table.heads(self.wish),
            "orders": computer_table.ORDERS,
            "previous_query": self.wish.asking(page=str(page.number - 1)),
            "next_query": self.wish.asking(page=str(page.number + 1)),
        }


@login_required
@never_cache
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the computers with their vaults, and how full the plan is."""
    seat = seat_or_none(request)
    if seat is None:
        return render(request, "accounts/without_account.html")
    shown = _Shown.read(request, seat)
    context = shown.context
    parts = live.render_parts(request, PARTS, context)
    growth = _growth(shown)
    more = {
        "parts": parts,
        "chart": chart(growth, quota=shown.quota.quota),
        "forecast": _told(forecast(growth, shown.quota.quota)),
    }
    return render(request, "storage/dashboard.html", {**context, **more})


@login_required
@never_cache
@require_safe
def dashboard_live(request: HttpRequest) -> HttpResponseBase:
    """Answer with the parts of the dashboard that change while a backup runs."""
    shown = _Shown.read(request, present_seat(request))
    return live.answer(request, live.render_parts(request, PARTS, shown.context))


def _growth(shown: _Shown) -> Sequence[Sample]:
    """Return what was charged day by day, and what is now, uploads in flight aside."""
    quota = shown.quota
    rows = samples.of_account(shown.seat.account, CHART_DAYS)
    today = (clock.now().date(), quota.charged - quota.reserved)
    return [*((row.day, row.charged(quota.quota)) for row in rows), today]


def _told(found: Forecast | None) -> str:
    """Word a forecast; empty where there is none."""
    if found is None:
        return ""
    if found.full_on is not None:
        text = gettext("At this rate the plan is full about %(day)s.")
        return text % {"day": _day(found.full_on)}
    if found.rate <= 0:
        return gettext("What you store did not grow in the last 30 days.")
    return gettext("At this rate there is room for more than two years.")


def _day(day: date) -> str:
    return format_date(day, "j F" if day.year == clock.now().year else "j F Y")
