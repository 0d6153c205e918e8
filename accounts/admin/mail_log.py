"""Staff pages about mail: what was told to whom, how it went, and which addresses fail.

What a letter says, and where a customer's system is, may hold what opens something: neither is
shown.
"""

from django.contrib import admin

from accounts.admin.base import OfAccountAdmin, StaffAdmin
from accounts.models import BouncingAddress, Delivery, Endpoint, Notice


@admin.register(Notice)
class NoticeAdmin(OfAccountAdmin):
    """What accounts were told; each is told once."""

    list_display = ("at", "account", "kind", "device")
    list_select_related = ("account", "device")
    hidden = ("values", "key")


@admin.register(Delivery)
class DeliveryAdmin(OfAccountAdmin):
    """The mail log: every notice on its way to a member or a customer's system."""

    list_display = ("kind", "account", "to", "state", "attempts", "sent_at", "error")
    list_filter = ("state",)
    list_select_related = ("notice", "account", "membership__user", "endpoint")
    hidden = ("lease",)

    @admin.display(description="notice")
    def kind(self, delivery: Delivery) -> str:
        """What it tells."""
        return delivery.notice.kind

    @admin.display(description="to")
    def to(self, delivery: Delivery) -> str:
        """The address it went to, or the member or system it is for."""
        if delivery.endpoint:
            return f"{delivery.endpoint.get_kind_display()}: {delivery.endpoint.name}"
        member = delivery.membership
        return delivery.address or (member.user.email if member else "nobody any more")


@admin.register(BouncingAddress)
class BouncingAddressAdmin(StaffAdmin):
    """Addresses that mail does not reach, and to which none goes any more."""

    list_display = ("email", "reason", "count", "suppressed_at", "detail")
    list_filter = ("reason",)
    search_fields = ("email__iexact",)


@admin.register(Endpoint)
class EndpointAdmin(OfAccountAdmin):
    """Customers' systems that get notices. Their addresses are their secret."""

    list_display = ("name", "account", "kind", "worked_at", "failing_since", "error", "removed_at")
    list_filter = ("kind",)
    list_select_related = ("account",)
    hidden = ("url",)
