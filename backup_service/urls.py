"""Addresses of the website."""

from django.contrib import admin
from django.urls import include, path

from backup_service.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
