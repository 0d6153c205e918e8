"""People, who sign in by e-mail."""

from typing import Any, ClassVar

from django.apps import apps
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models, transaction
from django.db.models.functions import Lower


class UserManager(BaseUserManager["User"]):
    """Users are known by e-mail address, compared without regard to case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user; without a password the only way in is the reset mail."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a staff member who may do everything in the admin, and can sign in at once.

        Whoever may do this at the command line need not prove that the address is theirs.
        """
        fields |= {"is_staff": True, "is_superuser": True}
        with transaction.atomic(using=self._db):
            user = self.create_user(email, password, **fields)
            if apps.is_installed("allauth.account"):
                address = apps.get_model("account", "EmailAddress")
                address.objects.create(user=user, email=user.email, primary=True, verified=True)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """Look up by e-mail address, as sign-in does."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person who signs in by e-mail."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=150, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)  # an IANA name; empty: UTC
    # Of mails, and of pages where the browser chose none; empty: English, or as the browser says.
    language = models.CharField(max_length=10, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_without_case"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """Return the name to greet with."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """Return the part before the @ when no name was given."""
        return self.name or self.email.split("@")[0]
