"""`docker/compose.yaml` as tests read it: with everything that an operator would fill in."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from backup_service.env import BASE_DIR

DOCKER = BASE_DIR / "docker"
FILLED = {
    "NIGHTSAFE_DOMAIN": "nightsafe.example",
    "NIGHTSAFE_SECRET_KEY": "s" * 20 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "POSTGRES_PASSWORD": "p0stgres",
    "VALKEY_PASSWORD": "va1key",
    "EMAIL_URL": "smtp+tls://user:password@mail.example:587",
    "NIGHTSAFE_MAIL_FROM": "hello@nightsafe.example",
    "NIGHTSAFE_STRIPE_API_KEY": "",
    "NIGHTSAFE_STRIPE_WEBHOOK_SECRET": "",
    "SENTRY_DSN": "",
}


def read() -> dict[str, Any]:
    """Return the whole file."""
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def filled(text: str) -> str:
    """Put the filled-in values into a text."""
    return re.sub(r"\$\{(\w+)(:[?-][^}]*)?\}", lambda found: FILLED[found[1]], text)


def environment(service: dict[str, Any]) -> dict[str, str]:
    """Return what the containers of a service get."""
    return {name: filled(str(value)) for name, value in service["environment"].items()}


def command(service: dict[str, Any], folder: Path, port: int = 0) -> list[str]:
    """Return a service's command, listening on a port of this computer, writing to `folder`."""
    words = shlex.split(service["command"].replace("$$", "$"))
    return [
        word.replace("0.0.0.0:8000", f"127.0.0.1:{port}").replace("/tmp/", f"{folder}/")
        for word in words
    ]


def clean() -> dict[str, str]:
    """Return this process's environment without anything that would mislead the service."""
    misleading = ("NIGHTSAFE_", "DATABASE_URL", "DATA_DIR", "DJANGO_", "GUNICORN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(misleading)}
