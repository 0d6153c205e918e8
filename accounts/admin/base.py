"""The base of all staff pages: staff see much, change little and delete nothing.

Rows are views of what the service does, so they are changed by its own named functions; a page
that let staff add or delete rows would go around quota, journal and audit log alike.
"""

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from accounts import audit
from accounts.audit import Actor
from accounts.client_address import client_address
from accounts.models import User

if TYPE_CHECKING:
    from django.contrib.admin.models import LogEntry

    Row = TypeVar("Row", bound=Model)
    _ModelAdmin = admin.ModelAdmin[Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _Paginator = Paginator

MOST_COUNTED = 10_000  # rows


class BoundedPaginator(_Paginator):
    """Counts rows up to a bound only, since counting a big table reads all of it."""

    @cached_property
    def count(self) -> int:
        """The number of rows, up to MOST_COUNTED."""
        rows: QuerySet[Any] = self.object_list[:MOST_COUNTED]  # type: ignore[assignment]
        return rows.count()


class StaffAdmin(_ModelAdmin):
    """A read-mostly page. Only superusers change the few `editable` fields or run actions."""

    editable: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[tuple[str, ...]] = ()
    ordering: ClassVar[Any] = ("-pk",)
    list_per_page = 50
    list_max_show_all = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes rows, since deletion would cascade around every safeguard."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers change what is editable; other staff see what their permissions allow."""
        user = request.user
        is_superuser = isinstance(user, User) and user.is_active and user.is_superuser
        return is_superuser and (obj is None or bool(self.editable))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Every field that is not hidden."""
        options = self.model._meta
        fields = [*options.concrete_fields, *options.many_to_many]
        shown = [f.name for f in fields if not f.primary_key and f.name not in self.hidden]
        return [*shown, *(name for name in self.editable if name not in shown)]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Everything but what is editable."""
        return [name for name in self.get_fields(request, obj) if name not in self.editable]

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> "LogEntry":
        """Write the change into the audit log as well, with the staff member as actor."""
        audit.record(
            acting(request),
            "staff.change",
            f"{obj._meta.verbose_name} {obj.pk}",
            account=getattr(obj, "account", None),
            change=message,
        )
        return super().log_change(request, obj, message)


def acting(request: HttpRequest) -> Actor:
    """Return the staff member behind a request."""
    if not isinstance(request.user, User):
        raise TypeError("staff pages are for signed-in people")
    return Actor.staff(request.user, address=client_address(request))
