"""What programs ask every site for: robots.txt, sitemap.xml, security.txt, favicon.ico."""

from datetime import timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_safe

from backup_service import clock
from backup_service.pages.site_operator import operator

PLAIN = "text/plain; charset=utf-8"
# The pages that a search engine is told of.
LISTED = (
    *("landing", "how_it_works", "pricing", "security", "download", "status", "docs"),
    *("docs_getting_started", "docs_restore", "docs_restic", "docs_api", "terms", "privacy"),
)
CLOSED = ("/accounts/", "/admin/", "/dashboard/", "/activity/", "/devices/", "/vaults/", "/mail/")
GOOD_FOR = timedelta(days=180)  # RFC 9116 wants less than a year


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Tell crawlers where there is nothing for them, and where the list of pages is."""
    closed = "".join(f"Disallow: {path}\n" for path in CLOSED)
    sitemap = f"{settings.SITE_URL}{reverse('sitemap')}"
    return HttpResponse(f"User-agent: *\n{closed}\nSitemap: {sitemap}\n", content_type=PLAIN)


@require_safe
def sitemap(request: HttpRequest) -> HttpResponse:
    """List the public pages."""
    addresses = [f"{settings.SITE_URL}{reverse(name)}" for name in LISTED]
    return render(
        request, "public/sitemap.xml", {"addresses": addresses}, content_type="application/xml"
    )


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Say whom to tell of a hole (RFC 9116); there only if somebody is named."""
    contact = operator().security_contact
    if not contact:
        raise Http404
    expires = (clock.now() + GOOD_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
    here = f"{settings.SITE_URL}{reverse('security_txt')}"
    policy = f"{settings.SITE_URL}{reverse('security')}"
    return HttpResponse(
        f"Contact: {contact}\n"
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}\n"
        "Preferred-Languages: en\n"
        f"Canonical: {here}\n"
        f"Policy: {policy}\n",
        content_type=PLAIN,
    )


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead browsers that ask for it blindly to the file that the pages name."""
    response = redirect(static("nightsafe/favicon.ico"))
    response["Cache-Control"] = "public, max-age=86400"
    return response
