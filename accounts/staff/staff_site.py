"""The site of the staff pages: Django's, with pages of our own and a start page with figures."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

Page = Callable[[HttpRequest], HttpResponse]
Figures = Callable[[HttpRequest], dict[str, Any]]


# Groups of lists whose own names say too little.
_NAMES = {"account": "E-mail addresses", "mfa": "Second factors", "usersessions": "Sessions"}


class StaffSite(admin.AdminSite):
    """Apps above this one give it pages, and what the start page shows, as they are loaded."""

    index_template = "admin/start.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._pages: list[tuple[str, str, Page]] = []
        self._figures: Figures = lambda request: {}

    def add_page(self, route: str, page: Page, *, name: str) -> None:
        """Serve a page below the admin's address, to staff only; it asks for further rights."""
        self._pages.append((route, name, page))

    def start_with(self, figures: Figures) -> None:
        """Have the start page show what a function says, as values for its template."""
        self._figures = figures

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Put our pages before Django's."""
        ours = [path(route, self.admin_view(page), name=name) for route, name, page in self._pages]
        return [*ours, *super().get_urls()]

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the groups of lists; allauth calls its own by the name that ours has."""
        found = super().get_app_list(request, app_label)
        for group in found:
            group["name"] = _NAMES.get(group["app_label"], group["name"])
        return found

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The start page."""
        return super().index(request, {**self._figures(request), **(extra_context or {})})


def staff_site() -> StaffSite:
    """Return the site that is in use. Raises TypeError if the settings name another one."""
    if not isinstance(admin.site, StaffSite):
        raise TypeError("the settings name another site for staff")
    return admin.site
