"""Maps keys to paths in a region's directory: `vault/type/na/name.attempt`."""

from pathlib import Path

from storage.object_names import InvalidNameError, StoreKey, parse_store_key


def path_of(root: Path, key: StoreKey) -> Path:
    """Return the path of a key's file."""
    name = key.object.name
    return root / key.vault / key.object.type / name[:2] / f"{name}.{key.attempt}"


def key_of(root: Path, path: Path) -> StoreKey | None:
    """Return the key whose file this is; None if it is no key's."""
    parts = path.relative_to(root).parts
    if len(parts) != 4:
        return None
    name, dot, attempt = parts[3].partition(".")
    try:
        key = parse_store_key(f"{parts[0]}/{parts[1]}/{name}/{attempt}")
    except InvalidNameError:
        return None
    return key if dot and parts[2] == name[:2] else None
