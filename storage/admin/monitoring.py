"""Staff pages about monitoring: alarms, canaries, notices, heartbeats."""

from django.contrib import admin

from accounts.admin.base import StaffAdmin
from storage.models import Alarm, CanaryRun, Channel, Heartbeat, LossNotice


@admin.register(Alarm)
class AlarmAdmin(StaffAdmin):
    """What is wrong at present, as the workers last saw it. `manage.py alarms` looks afresh."""

    list_display = ("text", "since", "mailed_at", "advice")
    ordering = ("since",)


@admin.register(Channel)
class ChannelAdmin(StaffAdmin):
    """The channels by which people are notified, and whether they work."""

    list_display = ("name", "worked_at", "failed_at", "error")
    ordering = ("name",)


@admin.register(CanaryRun)
class CanaryRunAdmin(StaffAdmin):
    """The service's own round trips through each region."""

    list_display = ("at", "region", "went_well", "seconds", "error")
    list_filter = ("region", "went_well")
    list_select_related = ("region",)


@admin.register(LossNotice)
class LossNoticeAdmin(StaffAdmin):
    """Vaults that lost objects, and when their people were told."""

    list_display = ("vault", "is_due", "mailed_at")
    list_select_related = ("vault",)


@admin.register(Heartbeat)
class HeartbeatAdmin(StaffAdmin):
    """When each part of the service was last heard of."""

    list_display = ("name", "at")
    ordering = ("name",)
