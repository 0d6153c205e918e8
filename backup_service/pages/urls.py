"""Addresses of the pages that belong to no app."""

from django.urls import path

from backup_service.pages.api import openapi, reference
from backup_service.pages.downloads import (
    download,
    download_file,
    download_index,
    download_project,
)
from backup_service.pages.mail_viewer import mailbox
from backup_service.pages.pricing import pricing
from backup_service.pages.public import how_it_works, landing, page, security
from backup_service.pages.status import status
from backup_service.pages.well_known import favicon, robots, security_txt, sitemap

urlpatterns = [
    path("", landing, name="landing"),
    path("how-it-works/", how_it_works, name="how_it_works"),
    path("pricing/", pricing, name="pricing"),
    path("security/", security, name="security"),
    path("download/", download, name="download"),
    path("download/files/<str:file>", download_file, name="download_file"),
    path("download/simple/", download_index, name="download_index"),
    path("download/simple/<str:project>/", download_project, name="download_project"),
    path("docs/", page("public/docs/index.html"), name="docs"),
    path(
        "docs/getting-started/",
        page("public/docs/getting_started.html"),
        name="docs_getting_started",
    ),
    path("docs/restore/", page("public/docs/restore.html"), name="docs_restore"),
    path("docs/restic/", page("public/docs/restic.html"), name="docs_restic"),
    path("docs/api/", page("public/docs/api.html"), name="docs_api"),
    path("docs/api/reference/", reference, name="api_schema"),
    path("api/v1/openapi.json", openapi, name="openapi"),
    path("status/", status, name="status"),
    path("terms/", page("public/terms.html"), name="terms"),
    path("privacy/", page("public/privacy.html"), name="privacy"),
    path("robots.txt", robots, name="robots"),
    path("sitemap.xml", sitemap, name="sitemap"),
    path(".well-known/security.txt", security_txt, name="security_txt"),
    path("favicon.ico", favicon, name="favicon"),
    path("mail/", mailbox, name="mailbox"),
]
