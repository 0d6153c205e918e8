"""A vault's own page: how it stands, how it grows, what happened, and where its copies are."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import Seat, present_seat
from accounts.website import history
from backup_service import clock
from storage.models import Vault
from storage.stores.shared_disks import share_a_disk
from storage.vault_status import overview, running, samples
from storage.vaults.recovery_point import lost_of, recovery_point
from storage.website import live
from storage.website.charts import Chart, chart
from storage.website.happenings import KINDS, events_of, happenings

SHOWN = 15  # events, and lines of the history
A_PAGE = 50  # events
CREDENTIALS = 100  # those in use come first; the API lists them all
CHART_DAYS = 90
PARTS = {
    "said": "storage/vault_said.html",
    "now": "storage/vault_now.html",
}


@login_required
@never_cache
@require_safe
def vault(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Show one vault."""
    seat = present_seat(request)
    account = seat.account
    found = get_object_or_404(overview.vaults_seen_by(seat), public_id=vault_id)
    context = _now(seat, found)
    days = overview.backups_by_day(found)
    more = {
        "parts": live.render_parts(request, PARTS, context),
        "chart": _growth(context["shown"]),
        "days": days,
        "days_with_backup": sum(count > 0 for _, count in days),
        "address": found.url,
        "credentials": overview.credentials_of(found)[:CREDENTIALS],
        "regions": overview.copies_by_region(found),
        "recovery": recovery_point(found),
        "shares_disk": share_a_disk(),
        "lost": lost_of(found),
        "happenings": happenings(events_of(found)[:SHOWN]),
        "history": history.entries(account, overview.events_of(found)[:SHOWN]),
    }
    return render(request, "storage/vault.html", {**context, **more})


@login_required
@never_cache
@require_safe
def vault_live(request: HttpRequest, vault_id: str) -> HttpResponseBase:
    """Answer with the parts of a vault's page that change while a backup runs."""
    seat = present_seat(request)
    found = get_object_or_404(overview.vaults_seen_by(seat), public_id=vault_id)
    return live.answer(request, live.render_parts(request, PARTS, _now(seat, found)))


@login_required
@never_cache
@require_safe
def events(request: HttpRequest, vault_id: str) -> HttpResponse:
    """List backups, failures, refusals and removals, the newest first."""
    found = get_object_or_404(overview.vaults_seen_by(present_seat(request)), public_id=vault_id)
    show = request.GET.get("show", "")
    show = show if show in KINDS else ""
    page = Paginator(events_of(found, show), A_PAGE).get_page(request.GET.get("page"))
    narrowed = f"show={show}&" if show else ""
    context = {
        "vault": found,
        "page": page,
        "happenings": happenings(page.object_list),
        "tabs": [(word, name(), word == show) for word, (name, _) in KINDS.items()],
        "newer": f"?{narrowed}page={page.previous_page_number()}" if page.has_previous() else "",
        "older": f"?{narrowed}page={page.next_page_number()}" if page.has_next() else "",
    }
    return render(request, "storage/vault_events.html", context)


def _now(seat: Seat, vault: Vault) -> dict[str, Any]:
    [shown] = overview.overview([vault], overview.plan_of(seat.account))
    runs = running.runs_in(Vault.objects.filter(pk=vault.pk))
    return {"vault": vault, "shown": shown, "runs": runs}


def _growth(shown: overview.VaultOverview) -> Chart | None:
    """Return what the vault held day by day, and what it holds now."""
    rows = samples.of_vault(shown.vault, CHART_DAYS)
    today = (clock.now().date(), shown.figures.bytes)
    return chart([*((row.day, row.bytes) for row in rows), today])
