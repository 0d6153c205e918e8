"""Configures an embedded service's regions: two directories, or two stores of its own.

The choice is made at the first start of a data directory (`REGIONS=s3`, or not) and kept.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from backup_service.embedded import stores
from backup_service.embedded.errors import DataDirectoryError, LaunchError
from backup_service.embedded.stores import Store

ALIASES = ("a", "b")
CHOICE = "NIGHTSAFE_EMBEDDED_STORES"
_LOCATION = re.compile(r"([a-z]+)=s3\+http://[0-9.]+:(\d+)/")


def choose_stores(
    data_dir: Path,
    wishes: Mapping[str, str],
    before: Mapping[str, str],
    *,
    avoid: Collection[int],
) -> dict[str, Store]:
    """Return the stores to start by alias, none for directories; ports and keys are kept.

    `before` is what `service.env` held, `avoid` the ports that others will take.
    Raises LaunchError.
    """
    wish, is_kept = wishes.get("REGIONS", ""), before.get(CHOICE) == "s3"
    if wish not in ("", "directories", "s3"):
        raise LaunchError(f"REGIONS={wish} is not known: take directories (the default) or s3.")
    if (wish == "s3" or is_kept) and wishes.get("NIGHTSAFE_REGIONS"):
        raise LaunchError(
            "The service's own stores (REGIONS=s3) and NIGHTSAFE_REGIONS exclude each other. "
            "Choose one, in a data directory of its own: DATA_DIR=/some/folder."
        )
    if is_kept if wish == "directories" else wish == "s3" and not is_kept and _is_used(data_dir):
        raise DataDirectoryError(
            f"{data_dir} keeps its regions in {'stores' if is_kept else 'directories'} already. "
            "To try the other kind, choose a new folder: DATA_DIR=/some/folder."
        )
    if not is_kept and wish != "s3":
        return {}
    stores.weed()
    chosen: dict[str, Store] = {}
    for alias, old in _drawn(data_dir, before).items():
        taken = [*avoid, *(port for one in chosen.values() for port in one.ports)]
        chosen[alias] = old.at(stores.free_base(old.base, avoid=taken))
    return chosen


def settings_of(chosen: Mapping[str, Store]) -> dict[str, str]:
    """Return what `service.env` says of the stores."""
    if not chosen:
        return {}
    settings = {CHOICE: "s3"}
    settings["NIGHTSAFE_REGIONS"] = ",".join(
        f"{alias}={store.location}" for alias, store in chosen.items()
    )
    for alias, store in chosen.items():
        prefix = f"NIGHTSAFE_REGION_{alias.upper()}"
        settings[f"{prefix}_ACCESS_KEY"] = store.access_key
        settings[f"{prefix}_SECRET_KEY"] = store.secret_key
        settings[f"{prefix}_DIRECT"] = "yes"
    return settings


def running_stores(data_dir: Path, settings: Mapping[str, str]) -> dict[str, Store]:
    """Return the stores that `service.env` speaks of."""
    return _drawn(data_dir, settings) if settings.get(CHOICE) == "s3" else {}


def describe(data_dir: Path, settings: Mapping[str, str]) -> str:
    """Return where the regions are, and what to do about drives, for people."""
    if settings.get(CHOICE) == "s3":
        return f"two S3-compatible stores of this service, in {data_dir / 'stores'}/"
    if settings.get("NIGHTSAFE_REGIONS"):
        return settings["NIGHTSAFE_REGIONS"]
    folder = data_dir / "regions"
    return (
        f"{folder / 'a'}/ and {folder / 'b'}/\n"
        "           To survive a failed drive: stop, move b to another drive, and start with\n"
        f'           NIGHTSAFE_REGIONS="a={folder / "a"},b=/other/drive/b"'
    )


def _drawn(data_dir: Path, settings: Mapping[str, str]) -> dict[str, Store]:
    """Return both stores with the ports and keys that the settings know, or with new ones."""
    known = dict(_LOCATION.findall(settings.get("NIGHTSAFE_REGIONS", "")))
    found = {}
    for alias in ALIASES:
        prefix = f"NIGHTSAFE_REGION_{alias.upper()}"
        base = stores.base_of(int(known[alias])) if alias in known else 0
        fresh = stores.draw(data_dir / "stores" / alias, base)
        found[alias] = Store(
            fresh.folder,
            base,
            settings.get(f"{prefix}_ACCESS_KEY") or fresh.access_key,
            settings.get(f"{prefix}_SECRET_KEY") or fresh.secret_key,
        )
    return found


def _is_used(data_dir: Path) -> bool:
    return (data_dir / "nightsafe.sqlite3").exists()
