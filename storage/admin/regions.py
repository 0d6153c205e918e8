"""The staff page about regions: what they hold, what waits, and their life cycle."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from accounts.admin.base import StaffAdmin, acting
from accounts.admin.confirmation import confirmed
from accounts.audit import Actor
from accounts.templatetags.amounts import amount
from backup_service import clock
from storage.models import Region
from storage.regions import lifecycle
from storage.regions.status import RegionStatus, region_status
from storage.stores.base import RegionError

if TYPE_CHECKING:
    _Form = ModelForm[Region]
else:
    _Form = ModelForm


@dataclass(frozen=True)
class RegionAction:
    """An action on a region, and what to know before it."""

    name: str
    title: str
    consequence: str
    do: Callable[[Region, Actor], object]


ACTIONS = (
    RegionAction(
        "drain",
        "Drain: empty it while customers work",
        "It takes no new bytes; its replicas are made elsewhere and then leave it.",
        lifecycle.drain,
    ),
    RegionAction(
        "read_only",
        "Read-only: keep its replicas, take no more",
        "It takes no new bytes until it is brought online again.",
        lifecycle.read_only,
    ),
    RegionAction(
        "offline",
        "Offline: leave it alone",
        "It is not read any more, and all its replicas are made elsewhere. What has its only "
        "replica there cannot be restored until it is online again.",
        lifecycle.offline,
    ),
    RegionAction(
        "online",
        "Online: use it again",
        "It takes new bytes. After it was offline, its replicas count once they were read back.",
        lifecycle.online,
    ),
    RegionAction(
        "begin",
        "Begin to use it: new, or removed before",
        "Its store must be empty.",
        lambda region, actor: lifecycle.add(region.alias, actor),
    ),
    RegionAction(
        "remove",
        "Remove it for good, once it is empty",
        "This cannot be undone. Only an empty store can begin under its name again.",
        lifecycle.remove,
    ),
    RegionAction(
        "write_off",
        "Its store is lost for good",
        "This cannot be undone. All its replicas count as lost and are made elsewhere; what had "
        "its only replica there becomes LOST, and its owners are asked to back up again. If the "
        "store may come back, take it offline instead.",
        lifecycle.write_off_region,
    ),
)


class RegionList(ChangeList):
    """The list with each region's figures beside its row."""

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the rows, then the figures of all regions at once."""
        super().get_results(request)
        figures = {figure.region: figure for figure in region_status(clock.now())}
        for region in self.result_list:
            region.figures = figures.get(region.alias)


@admin.register(Region)
class RegionAdmin(StaffAdmin):
    """Regions with their backlog. Their configuration is in the environment only."""

    list_display = (
        "alias",
        "place",
        "status",
        "health",
        "reachable",
        "objects",
        "stored",
        "pending",
        "damaged",
        "parked",
        "oldest_wait",
    )
    ordering = ("priority", "alias")
    editable = ("place", "priority")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that brings the figures along."""
        return RegionList

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the life cycle's actions to whoever may change regions."""
        actions = super().get_actions(request)
        if self.has_change_permission(request):
            actions |= {act.name: (_action_of(act), act.name, act.title) for act in ACTIONS}
        return actions

    def save_model(self, request: HttpRequest, obj: Region, form: _Form, change: bool) -> None:
        """Change place and priority; the status has actions of its own."""
        Region.objects.filter(pk=obj.pk).update(place=obj.place, priority=obj.priority)

    @admin.display(description="reachable", boolean=True)
    def reachable(self, region: Region) -> bool:
        """Return whether the store answered just now."""
        return _figures(region).reachable

    @admin.display(description="objects")
    def objects(self, region: Region) -> int:
        """Good replicas."""
        return _figures(region).objects

    @admin.display(description="bytes")
    def stored(self, region: Region) -> str:
        """Bytes of good replicas."""
        return amount(_figures(region).bytes)

    @admin.display(description="pending")
    def pending(self, region: Region) -> int:
        """Replicas still to be made."""
        return _figures(region).pending

    @admin.display(description="damaged")
    def damaged(self, region: Region) -> int:
        """Replicas found corrupt or missing."""
        return _figures(region).corrupt

    @admin.display(description="parked")
    def parked(self, region: Region) -> int:
        """Replicas that were given up and wait for staff."""
        return _figures(region).parked

    @admin.display(description="oldest wait")
    def oldest_wait(self, region: Region) -> str:
        """How long the oldest replica has been waiting, in minutes."""
        age = _figures(region).oldest_pending_age
        return f"{age / 60:.0f} min" if age else "none"


def _action_of(act: RegionAction) -> Any:
    def run(
        page: RegionAdmin, request: HttpRequest, queryset: QuerySet[Region]
    ) -> HttpResponse | None:
        answer = confirmed(
            page, request, queryset, name=act.name, title=act.title, consequence=act.consequence
        )
        if answer is not None:
            return answer
        for region in queryset:
            try:
                act.do(region, acting(request))
            except RegionError as error:
                messages.error(request, str(error))
            else:
                messages.success(request, f"{region.alias}: {act.title}.")
        return None

    return run


def _figures(region: Region) -> RegionStatus:
    figures = getattr(region, "figures", None)
    if not isinstance(figures, RegionStatus):
        raise TypeError("the list has not brought the figures along")
    return figures
