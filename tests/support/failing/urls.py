"""The site with addresses in front, some of them below its own, that fail."""

from django.urls import include, path

from backup_service.logs.error_reports import SILENT, SILENT_WITH_BODY
from tests.support.failing.secrets import marked_view, view

urlpatterns = [
    path("fails/", view),
    path("marked/", marked_view),
    *(path(f"{route}fails/", view) for route in (*SILENT, *SILENT_WITH_BODY)),
    path("", include("backup_service.urls")),
]
