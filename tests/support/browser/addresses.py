"""Every address of the website, from its list of routes: a new page is found by itself."""

import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

# What routes with a value in them are asked for; all others come from the data.
FIXED = {"key": "Mg:1abc:def", "uidb36": "2", "pk": "1", "session_id": "1", "invitation_id": "1"}
FIXED |= {"act": "remove", "project": "nightsafe", "file": "none"}
# For programs, or led away from by all.
APART = (
    *("healthz", "readyz", "metrics"),
    *("api/", "download/simple/", "admin/r/", "admin/jsi18n/", "admin/autocomplete/"),
    "admin/logout/",
)
VARIANTS = (
    *("/nothing", "/dashboard/?q=none", "/dashboard/?sort=name", "/activity/?q=none"),
    *("/pricing/?every=year", "/download/?for=windows", "/billing/plans/?interval=year"),
    *("/?language=de", "/pricing/?language=de", "/?language=en-gb"),
    "/admin/search/?q=example",
)
OF_A_VAULT = {"wiped": ("", "accept-removal/", "snapshots/"), "lost": ("", "lost/give-up/")}
_VALUE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


def addresses(filled: dict[str, Any]) -> list[str]:
    """Return every address that a GET may be sent to, in the order of the routes."""
    found = [_filled(route, filled["values"]) for route in _routes(_patterns())]
    for name, vault in filled["vaults"].items():
        found += [f"/vaults/{vault}/{page}" for page in OF_A_VAULT.get(name, ("",))]
    found += [
        f"/vaults/{filled['values']['undelete_vault']}/undelete/{filled['values']['number']}/"
    ]
    return list(dict.fromkeys([*found, *VARIANTS]))


def _patterns() -> list[URLPattern | URLResolver]:
    patterns: list[URLPattern | URLResolver] = get_resolver("backup_service.urls").url_patterns
    return patterns


def _routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, path)
        elif "(?P<app_label>" in path:
            yield from (f"admin/{label}/" for label in _labels())
        elif not path.startswith(APART) and "(?P<url>" not in path:
            yield path


def _labels() -> list[str]:
    return sorted({model._meta.app_label for model in admin.site._registry})


def _filled(route: str, values: dict[str, str]) -> str:
    known = FIXED | values
    if route.startswith("admin/") and "object_id" in route:
        app, model = route.split("/")[1:3]
        known = known | {"object_id": _first(app, model)}

    def value(match: re.Match[str]) -> str:
        return known.get(match[1] or match[2], "1")

    return "/" + _VALUE.sub(value, route).replace("\\", "")


def _first(app: str, model: str) -> str:
    rows = apps.get_model(app, model)._default_manager.order_by("pk")
    return str(rows.values_list("pk", flat=True).first() or 1)
