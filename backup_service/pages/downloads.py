"""Where the agent is to be had: a page that knows the visitor's system, and a package index.

The index is as PEP 503 has it, so `pip` and `pipx` install from here and ask no other host.
"""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from backup_service.agent_packages import catalogue
from backup_service.agent_packages.catalogue import AGENT, Catalogue, Package
from backup_service.pages.public import public
from backup_service.pages.systems import ASKED, SYSTEMS, System, system_of

KEPT = "public, max-age=300"  # by browsers and proxies: a new build may take the same name


@dataclass(frozen=True)
class Lines:
    """What to type: for systems that the wheels here are for, and for all others."""

    alone: str = ""  # asks this service only
    with_pypi: str = ""  # takes what the agent needs from the Python Package Index
    python: str = ""  # which `alone` is for: 3.11
    machine: str = ""  # and which processor: x86_64


def lines(packages: Catalogue) -> Lines:
    """Return the lines that install what is there."""
    source, wheel = packages.source, next(iter(packages.wheels), None)
    if source is None:
        return Lines()
    at = f"{settings.SITE_URL}{reverse('download_file', args=[source.file])}"
    with_pypi = f'pipx install "{AGENT} @ {at}#sha256={source.sha256}"'
    if wheel is None:
        return Lines(with_pypi=with_pypi)
    index = f"{settings.SITE_URL}{reverse('download_index')}"  # this service's own, no other host
    return Lines(
        alone=f"pipx install --python python{wheel.python} --index-url {index} {AGENT}",
        with_pypi=with_pypi,
        python=wheel.python,
        machine=wheel.machine,
    )


@public
def download(request: HttpRequest) -> HttpResponse:
    """Show how to get the agent, for the visitor's system first."""
    mine = system_of(request.headers, request.GET.get("for", ""))
    packages = _catalogue()
    context = {
        "mine": mine,
        "systems": SYSTEMS,
        "is_guess": "for" not in request.GET,
        "lines": lines(packages),
        "has_own_wheel": mine is System.LINUX and bool(packages.wheels),
        "files": packages.of(AGENT),
    }
    response = render(request, "public/download.html", context)
    response["Accept-CH"] = ASKED
    patch_vary_headers(response, ["User-Agent", ASKED])
    return response


@require_safe
def download_index(request: HttpRequest) -> HttpResponse:
    """List the projects of the index."""
    return _listing(request, [(f"{name}/", name, "") for name in _catalogue().projects])


@require_safe
def download_project(request: HttpRequest, project: str) -> HttpResponse:
    """List a project's files, with what they must hash to."""
    found = _catalogue().of(project)
    if not found:
        raise Http404
    return _listing(request, [_entry(one) for one in found])


@require_safe
def download_file(request: HttpRequest, file: str) -> HttpResponseBase:
    """Hand a package out."""
    package = _catalogue().named(file)
    if package is None:
        raise Http404
    response = FileResponse(
        Path(settings.PACKAGES_DIR, package.file).open("rb"),  # noqa: SIM115
        as_attachment=True,
        filename=package.file,
        content_type="application/octet-stream",
    )
    response["Cache-Control"] = KEPT
    return response


def _catalogue() -> Catalogue:
    return catalogue.read(Path(settings.PACKAGES_DIR))


def _entry(package: Package) -> tuple[str, str, str]:
    address = f"{reverse('download_file', args=[package.file])}#sha256={package.sha256}"
    return address, package.file, package.requires_python


def _listing(request: HttpRequest, entries: list[tuple[str, str, str]]) -> HttpResponse:
    response = render(request, "public/index.html", {"entries": entries})
    response["Cache-Control"] = KEPT
    return response
