"""Addresses of the website."""

from allauth.account.decorators import secure_admin_login
from allauth.account.views import reauthenticate
from allauth.decorators import rate_limit
from allauth.mfa.base.views import reauthenticate as reauthenticate_by_code
from allauth.mfa.webauthn.views import login_webauthn, reauthenticate_webauthn
from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path

from accounts.customer_api.unknown import NAME, UnknownView
from backup_service.pages.health import healthz, readyz
from backup_service.pages.metrics import metrics
from billing.website.csp import proof_before_payment

# Staff sign in where everybody does, under the same limits on guessing.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = "Nightsafe staff"
admin.site.site_title = "Nightsafe staff"
admin.site.index_title = "The service"
admin.site.site_url = "/dashboard/"

# allauth's own pages, which may lead to the payment service, or begin a session with every view.
proofs = [
    path(
        "2fa/webauthn/login/",
        rate_limit(action="passkey_challenge", limit_get=True)(login_webauthn),
        name="mfa_login_webauthn",
    ),
    path(
        "reauthenticate/",
        proof_before_payment(reauthenticate),
        name="account_reauthenticate",
    ),
    path(
        "2fa/reauthenticate/",
        proof_before_payment(reauthenticate_by_code),
        name="mfa_reauthenticate",
    ),
    path(
        "2fa/webauthn/reauthenticate/",
        proof_before_payment(reauthenticate_webauthn),
        name="mfa_reauthenticate_webauthn",
    ),
]

handler400 = "backup_service.pages.errors.bad_request"
handler500 = "backup_service.pages.errors.failed"
urlpatterns = [
    path("", include("backup_service.pages.urls")),
    path("", include("accounts.website.urls")),
    path("billing/", include("billing.website.urls")),
    path("", include("storage.website.urls")),
    path("api/v1/", include("accounts.customer_api.resources.urls")),
    path("api/v1/", include("billing.customer_api.urls")),
    path("api/v1/", include("storage.customer_api.urls")),
    path("api/v1/", include([re_path("", UnknownView.as_view(), name=NAME)])),  # whatever is left
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("accounts/", include(proofs)),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]

# What mail providers tell; without their secret it could be anybody.
if settings.ANYMAIL.get("WEBHOOK_SECRET"):
    urlpatterns.append(path("anymail/", include("anymail.urls")))
