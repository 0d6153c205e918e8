"""Addresses of the gateway: the data protocol, the control API, health, nothing else."""

from django.urls import URLPattern, path

from backup_service.health import healthz, readyz
from storage import control_api, restic_api

urlpatterns: list[URLPattern] = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("restic/<str:vault>/", restic_api.vault_view),
    path("restic/<str:vault>/config", restic_api.config_view),
    path("restic/<str:vault>/<str:kind>/", restic_api.list_view),
    path("restic/<str:vault>/<str:kind>/<str:name>", restic_api.object_view),
    path("api/v1/vaults/<str:vault>/begin", control_api.begin_view),
    path("api/v1/vaults/<str:vault>/finish", control_api.finish_view),
    path("api/v1/vaults/<str:vault>/uploads", control_api.uploads_view),
    path("api/v1/vaults/<str:vault>/downloads", control_api.downloads_view),
]

handler400 = "backup_service.plain.bad_request"
handler404 = "backup_service.plain.not_found"
handler500 = "backup_service.plain.failed"
