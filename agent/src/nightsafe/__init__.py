"""The Nightsafe agent: encrypted backups in restic's repository format.

The names in `__all__` are the public Python interface; everything else may change. Each is loaded
on first use, so that `import nightsafe` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from nightsafe.version import __version__

if TYPE_CHECKING:
    from nightsafe.archiver.backup import BackupOptions, BackupReport, backup
    from nightsafe.backend.base import Backend
    from nightsafe.backend.local import LocalBackend
    from nightsafe.backend.rest import RestBackend
    from nightsafe.backend.rest_url import Credential
    from nightsafe.errors import NightsafeError
    from nightsafe.maintenance.check import CheckReport, check
    from nightsafe.maintenance.prune import PruneOptions, PruneReport, prune
    from nightsafe.repofile.snapshot import Snapshot
    from nightsafe.repository.repository import Repository
    from nightsafe.restorer.options import RestoreOptions, RestoreReport
    from nightsafe.restorer.restore import restore

__all__ = [
    "Backend",
    "BackupOptions",
    "BackupReport",
    "CheckReport",
    "Credential",
    "LocalBackend",
    "NightsafeError",
    "PruneOptions",
    "PruneReport",
    "Repository",
    "RestBackend",
    "RestoreOptions",
    "RestoreReport",
    "Snapshot",
    "__version__",
    "backup",
    "check",
    "prune",
    "restore",
]
_HOMES = {
    "archiver.backup": ("BackupOptions", "BackupReport", "backup"),
    "backend.base": ("Backend",),
    "backend.local": ("LocalBackend",),
    "backend.rest": ("RestBackend",),
    "backend.rest_url": ("Credential",),
    "errors": ("NightsafeError",),
    "maintenance.check": ("CheckReport", "check"),
    "maintenance.prune": ("PruneOptions", "PruneReport", "prune"),
    "repofile.snapshot": ("Snapshot",),
    "repository.repository": ("Repository",),
    "restorer.options": ("RestoreOptions", "RestoreReport"),
    "restorer.restore": ("restore",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            found = getattr(import_module(f"nightsafe.{home}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module 'nightsafe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
