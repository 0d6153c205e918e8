"""Staff pages about accounts: the list, the page that says how one stands, and acts on it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts.admin.base import StaffAdmin, acting
from accounts.models import Account
from accounts.templatetags.amounts import amount
from accounts.website import once
from billing.admin.acts import ACTS, Act
from storage.admin.account_page import account_page

OF_SLUG = {act.slug: act for act in ACTS}


@admin.register(Account)
class AccountAdmin(StaffAdmin):
    """Accounts with their plans, usage and state."""

    list_display = ("name", "public_id", "state", "plan", "stored", "removed", "created_at")
    list_filter = ("state", "subscription__plan", "continent")
    list_select_related = ("subscription__plan", "usage")
    search_fields = (
        "public_id__exact",
        "memberships__user__email__istartswith",
        "name__istartswith",
    )
    search_help_text = "An account’s identifier, a member’s address, or the account’s name"  # noqa: RUF001

    @admin.display(description="plan")
    def plan(self, account: Account) -> str:
        """The plan's name; without a subscription it is the free one."""
        subscription = getattr(account, "subscription", None)
        return subscription.plan.name if subscription else "Free"

    @admin.display(description="stored")
    def stored(self, account: Account) -> str:
        """Live bytes."""
        usage = getattr(account, "usage", None)
        return amount(usage.live_bytes) if usage else amount(0)

    @admin.display(description="removed, kept")
    def removed(self, account: Account) -> str:
        """Tombstoned bytes."""
        usage = getattr(account, "usage", None)
        return amount(usage.tombstoned_bytes) if usage else amount(0)

    def get_urls(self) -> list[URLPattern]:
        """Add the acts to Django's addresses."""
        act = path(
            "<path:object_id>/act/<slug:slug>/",
            self.admin_site.admin_view(self.act_view),
            name="account_act",
        )
        return [act, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """How an account stands, and why; nothing is changed here but by acts."""
        if request.method == "POST":
            raise PermissionDenied
        account = self._account(request, object_id)
        context = self.admin_site.each_context(request) | {
            "title": account.name,
            "page": account_page(account, request.user),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/accounts/account/page.html", context)

    def act_view(self, request: HttpRequest, object_id: str, slug: str) -> HttpResponse:
        """Ask for what an act needs, then say what it does, then do it once."""
        account, act = self._account(request, object_id), OF_SLUG.get(slug)
        if act is None:
            raise Http404
        if not request.user.has_perm(act.right):
            raise PermissionDenied
        form = act.form(request.POST or None)
        now = act.now(account)
        context: dict[str, Any] = {"form": form, "act": act, "account": account, "now": now}
        if request.method == "POST" and form.is_valid():
            if request.POST.get("sure") == "yes":
                return self._do(request, account, act, form.cleaned_data)
            context["consequence"] = act.consequence(account, form.cleaned_data)
            context["once"] = once.issue(request)
        context |= self.admin_site.each_context(request) | {
            "title": f"{act.title}: {account.name}",
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/accounts/account/act.html", context)

    def _do(
        self, request: HttpRequest, account: Account, act: Act, given: dict[str, Any]
    ) -> HttpResponse:
        page = redirect(reverse("admin:accounts_account_change", args=[account.pk]))
        if not once.spend(request):
            messages.warning(request, "This form was sent before; it was not done once more.")
            return page
        try:
            messages.success(request, act.do(account, given, acting(request)))
        except ValueError as error:
            messages.error(request, str(error))
        return page

    def _account(self, request: HttpRequest, object_id: str) -> Account:
        """Return the account of an address. Raises PermissionDenied, Http404."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = self.get_object(request, object_id)
        if not isinstance(account, Account):
            raise Http404
        return account
