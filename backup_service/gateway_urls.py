"""Addresses of the gateway: the data protocol and health, nothing else."""

from django.urls import URLPattern, path

from backup_service.health import healthz, readyz
from storage import restic_api

urlpatterns: list[URLPattern] = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("restic/<str:vault>/", restic_api.vault_view),
    path("restic/<str:vault>/config", restic_api.config_view),
    path("restic/<str:vault>/<str:kind>/", restic_api.list_view),
    path("restic/<str:vault>/<str:kind>/<str:name>", restic_api.object_view),
]

handler400 = "backup_service.plain.bad_request"
handler404 = "backup_service.plain.not_found"
handler500 = "backup_service.plain.failed"
