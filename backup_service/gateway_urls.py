"""Addresses of the gateway: the data protocol, the control API, health, nothing else."""

from django.urls import URLPattern, path

from backup_service.pages.health import healthz, readyz
from storage.api import control, restic

urlpatterns: list[URLPattern] = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("restic/<str:vault>/", restic.vault_view),
    path("restic/<str:vault>/config", restic.config_view),
    path("restic/<str:vault>/<str:kind>/", restic.list_view),
    path("restic/<str:vault>/<str:kind>/<str:name>", restic.object_view),
    path("api/v1/vaults/<str:vault>/begin", control.begin_view),
    path("api/v1/vaults/<str:vault>/finish", control.finish_view),
    path("api/v1/vaults/<str:vault>/uploads", control.uploads_view),
    path("api/v1/vaults/<str:vault>/downloads", control.downloads_view),
    path("api/v1/vaults/<str:vault>/report", control.report_view),
]

handler400 = "backup_service.gateway_errors.bad_request"
handler404 = "backup_service.gateway_errors.not_found"
handler500 = "backup_service.gateway_errors.failed"
