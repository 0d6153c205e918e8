"""Addresses of the website."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from backup_service.pages.health import healthz, readyz
from backup_service.pages.metrics import metrics

# Staff sign in where everybody does, under the same limits on guessing.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = "Nightsafe staff"
admin.site.site_title = "Nightsafe staff"
admin.site.index_title = "The service"
admin.site.site_url = "/dashboard/"

urlpatterns = [
    path("", include("backup_service.pages.urls")),
    path("", include("accounts.website.urls")),
    path("billing/", include("billing.website.urls")),
    path("", include("storage.website.urls")),
    path("api/v1/", include("accounts.customer_api.resources.urls")),
    path("api/v1/", include("billing.customer_api.urls")),
    path("api/v1/", include("storage.customer_api.urls")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]

# What mail providers tell; without their secret it could be anybody.
if settings.ANYMAIL.get("WEBHOOK_SECRET"):
    urlpatterns.append(path("anymail/", include("anymail.urls")))
