"""Waits, over HTTP, until the service is ready."""

import json
import time
import urllib.error
import urllib.request

from backup_service.embedded.configuration import Configuration
from backup_service.embedded.errors import LaunchError
from backup_service.embedded.processes.supervisor import Supervisor

PATIENCE = 60.0  # seconds
INTERVAL = 0.15
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_until_ready(configuration: Configuration, supervisor: Supervisor) -> None:
    """Wait for site, gateway, broker and worker; without the broker for none but the first two.

    Raises LaunchError, StopRequested.
    """
    deadline = time.monotonic() + PATIENCE
    for name, url in (
        ("gateway", f"{configuration.gateway_url}/healthz"),
        ("site", f"{configuration.site_url}/healthz"),
        ("site", f"{configuration.site_url}/readyz"),
    ):
        while (trouble := _trouble(url)) is not None:
            if url.endswith("/readyz") and supervisor.does_without():
                return
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"The {name} was not ready after {PATIENCE:.0f} seconds: {trouble}.\n"
                    f"{supervisor.end_of_log(name)}"
                )
            supervisor.pause(INTERVAL)


def _trouble(url: str) -> str | None:
    """Return what is wrong; None when all is well."""
    try:
        with _direct.open(url, timeout=5) as answer:
            return None if answer.status == 200 else f"it answered {answer.status}"
    except urllib.error.HTTPError as refusal:
        with refusal:
            return _what_is_missing(refusal.read(2000))
    except (OSError, ValueError) as error:
        return str(error)


def _what_is_missing(body: bytes) -> str:
    try:
        parts = json.loads(body)
        return ", ".join(f"{name} {state}" for name, state in parts.items() if name != "ok")
    except (ValueError, AttributeError):
        return "its answer cannot be read"
