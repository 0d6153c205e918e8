"""The staff page about regions: what they hold, and what waits."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.staff import StaffAdmin, acting
from accounts.templatetags.amounts import amount
from backup_service import clock
from storage.models import Region
from storage.operate import set_region_status
from storage.status import RegionStatus, region_status

if TYPE_CHECKING:
    _Form = ModelForm[Region]
else:
    _Form = ModelForm


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
        "reachable",
        "objects",
        "stored",
        "pending",
        "damaged",
        "parked",
        "oldest_wait",
    )
    ordering = ("priority", "alias")
    editable = ("status", "place")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that brings the figures along."""
        return RegionList

    def save_model(self, request: HttpRequest, obj: Region, form: _Form, change: bool) -> None:
        """Change the status by its own function, the place directly."""
        set_region_status(obj, status=obj.status, actor=acting(request))
        Region.objects.filter(pk=obj.pk).update(place=obj.place)

    @admin.display(description="reachable", boolean=True)
    def reachable(self, region: Region) -> bool:
        """Whether the store answered just now."""
        return _figures(region).reachable

    @admin.display(description="objects")
    def objects(self, region: Region) -> int:
        """Good copies."""
        return _figures(region).objects

    @admin.display(description="bytes")
    def stored(self, region: Region) -> str:
        """Bytes of good copies."""
        return amount(_figures(region).bytes)

    @admin.display(description="pending")
    def pending(self, region: Region) -> int:
        """Copies still to be made."""
        return _figures(region).pending

    @admin.display(description="damaged")
    def damaged(self, region: Region) -> int:
        """Copies found corrupt or missing."""
        return _figures(region).corrupt

    @admin.display(description="parked")
    def parked(self, region: Region) -> int:
        """Copies that were given up and wait for staff."""
        return _figures(region).parked

    @admin.display(description="oldest wait")
    def oldest_wait(self, region: Region) -> str:
        """How long the oldest copy has been waiting, in minutes."""
        age = _figures(region).oldest_pending_age
        return f"{age / 60:.0f} min" if age else "none"


def _figures(region: Region) -> RegionStatus:
    figures = getattr(region, "figures", None)
    if not isinstance(figures, RegionStatus):
        raise TypeError("the list has not brought the figures along")
    return figures
