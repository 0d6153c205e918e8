"""The base of all staff pages: staff see much, change little and delete nothing.

Rows are views of what the service does, so they are changed by its own named functions; a page
that let staff add or delete rows would go around quota, journal and audit log alike.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from accounts import audit
from accounts.audit import Actor
from accounts.client_address import client_address
from accounts.models import Account, User

if TYPE_CHECKING:
    from django.contrib.admin.models import LogEntry

    _ModelAdmin = admin.ModelAdmin[Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _Paginator = Paginator

MOST_COUNTED = 10_000  # rows
MOST_NAMED = 20  # accounts that one search is about


class BoundedPaginator(_Paginator):
    """Counts rows up to a bound only, since counting a big table reads all of it."""

    @cached_property
    def count(self) -> int:
        """The number of rows, up to MOST_COUNTED."""
        rows: QuerySet[Any] = self.object_list[:MOST_COUNTED]  # type: ignore[assignment]
        return rows.count()


class StaffAdmin(_ModelAdmin):
    """A read-mostly page. Whoever has the right changes the few `editable` fields, or acts."""

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
        """Whoever has the right changes what is editable; on a page without that, nobody."""
        has_right = super().has_change_permission(request, obj)
        return has_right and (obj is None or bool(self.editable))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Every field that is not hidden."""
        options = self.model._meta
        fields = [*options.concrete_fields, *options.many_to_many]
        shown = [f.name for f in fields if not f.primary_key and f.name not in self.hidden]
        return [*shown, *(name for name in self.editable if name not in shown)]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Everything but what is editable."""
        return [name for name in self.get_fields(request, obj) if name not in self.editable]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list as it is asked for. Raises IncorrectLookupParameters.

        Also for moments that have no year in UTC: Django answers the others itself.
        """
        try:
            return super().get_changelist_instance(request)
        except OverflowError as error:
            raise IncorrectLookupParameters from error

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


class OfAccountAdmin(StaffAdmin):
    """Searched by an account: its identifier, or the address of one of its members.

    The tables are big, and that is how they are indexed.
    """

    account_path = "account"
    search_fields = ("account",)
    search_help_text = "An account’s identifier, or the e-mail address of a member"  # noqa: RUF001

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Narrow to the accounts that the term names."""
        term = search_term.strip()
        if not term:
            return queryset, False
        named = Q(public_id=term) | Q(memberships__user__email__iexact=term)
        accounts = list(Account.objects.filter(named).distinct()[:MOST_NAMED])
        return queryset.filter(**{f"{self.account_path}__in": accounts}), False


def acting(request: HttpRequest) -> Actor:
    """Return the staff member behind a request."""
    if not isinstance(request.user, User):
        raise TypeError("staff pages are for signed-in people")
    return Actor.staff(request.user, address=client_address(request))
