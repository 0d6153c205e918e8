"""What allauth asks a site about second factors."""

import base64
import hashlib
import io

import qrcode
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext, gettext_lazy
from qrcode.image.svg import SvgPathFillImage

from accounts.models import User
from accounts.website.sign_in.relying_party import relying_party

ISSUER = "Nightsafe"
_PURPOSE = b"nightsafe/second-factor/1\n"


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Names, secrets at rest, and where passkeys belong."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": gettext_lazy("This is not right. Please try again."),
        "unverified_email": gettext_lazy(
            "Confirm your e-mail address first, then add a second factor."
        ),
        "cannot_generate_recovery_codes": gettext_lazy(
            "Add a passkey or an app first; codes stand in for them."
        ),
    }

    def get_totp_issuer(self) -> str:
        """Return the name that an authenticator app shows."""
        return ISSUER

    def build_totp_svg(self, url: str) -> str:
        """Return the QR code as SVG, on white, so that cameras read it in dark mode too."""
        file = io.BytesIO()
        qrcode.make(url, image_factory=SvgPathFillImage).save(file)
        return file.getvalue().decode("utf-8")

    def encrypt(self, text: str) -> str:
        """Return a secret in the form in which the database holds it."""
        return _box().encrypt(text.encode("utf-8")).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret again.

        Raises ImproperlyConfigured where the service's key changed and the old one is not among
        SECRET_KEY_FALLBACKS.
        """
        try:
            return _box().decrypt(encrypted_text.encode("ascii")).decode("utf-8")
        except InvalidToken as error:
            raise ImproperlyConfigured(
                "A second factor was stored under another NIGHTSAFE_SECRET_KEY; name the old one "
                "in NIGHTSAFE_OLD_SECRET_KEYS."
            ) from error

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """Return a first name for a passkey, which its owner may change."""
        count = Authenticator.objects.filter(user=user, type=type).count()
        return (
            gettext("Passkey")
            if count == 0
            else gettext("Passkey %(count)s") % {"count": count + 1}
        )

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Return whom passkeys are made for."""
        return {"id": relying_party().id, "name": ISSUER}


def _box() -> MultiFernet:
    """Return what encrypts with the service's key, and decrypts with its older ones too."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    hashed = [hashlib.sha256(_PURPOSE + key.encode("utf-8")).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in hashed])
