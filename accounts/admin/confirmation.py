"""Asks before an act on rows that were chosen in a list."""

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.admin.base import StaffAdmin

MOST_AT_ONCE = 50  # rows: as many as a list shows


def confirmed(
    page: StaffAdmin,
    request: HttpRequest,
    queryset: QuerySet[Any],
    *,
    name: str,
    consequence: str,
    title: str,
) -> HttpResponse | None:
    """Return the page that asks about the act `name`, or None once somebody has said yes."""
    if request.POST.get("sure") == "yes":
        return None
    options = page.model._meta
    context = page.admin_site.each_context(request) | {
        "title": title,
        "name": name,
        "consequence": consequence,
        "rows": queryset[:MOST_AT_ONCE],
        "checkbox": ACTION_CHECKBOX_NAME,
        "back": reverse(f"admin:{options.app_label}_{options.model_name}_changelist"),
    }
    return TemplateResponse(request, "admin/confirm.html", context)
