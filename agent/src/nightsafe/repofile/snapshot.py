"""Snapshots: a tree, with when, where and from which paths it was taken."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

import orjson

from nightsafe.errors import DamagedError, SnapshotNotFoundError
from nightsafe.repofile.go_json import format_time, format_time_in, json_string, parse_time
from nightsafe.repofile.tags import flat_tags
from nightsafe.repofile.tree import read_id

LATEST = "latest"
_PREFIX = re.compile(r"[0-9a-f]{1,64}")


class Snapshot(NamedTuple):
    """A snapshot. `time` is in nanoseconds since 1970; `id` is empty until it is stored.

    `zone` is the offset of its clock from UTC in seconds. `summary` is the JSON object with which
    stock restic describes the backup since 0.17; empty if there is none.
    """

    time: int
    tree: bytes
    paths: tuple[str, ...]
    hostname: str = ""
    username: str = ""
    uid: int = 0
    gid: int = 0
    tags: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    parent: str = ""
    original: str = ""
    program_version: str = ""
    id: str = ""
    zone: int = 0
    summary: bytes = b""

    @property
    def short_id(self) -> str:
        """The first eight digits of the id."""
        return self.id[:8]

    @property
    def stamp(self) -> str:
        """The time as RFC 3339 in its own zone; empty if it could not be read."""
        if not self.tree:
            return ""
        return format_time_in(self.time, self.zone)

    def encode(self) -> bytes:
        """Encode as JSON in restic's field order, without empty fields."""
        out = [f'"time":"{format_time(self.time)}"']
        out += _strings(parent=self.parent)
        out.append(f'"tree":"{self.tree.hex()}","paths":{_array(self.paths)}')
        out += _strings(hostname=self.hostname, username=self.username)
        out += [f'"{k}":{v}' for k, v in (("uid", self.uid), ("gid", self.gid)) if v]
        out += [
            f'"{k}":{_array(v)}' for k, v in (("excludes", self.excludes), ("tags", self.tags)) if v
        ]
        out += _strings(original=self.original, program_version=self.program_version)
        if self.summary:
            out.append(f'"summary":{self.summary.decode()}')
        return ("{" + ",".join(out) + "}").encode()

    @classmethod
    def decode(cls, text: bytes, *, snapshot_id: str) -> "Snapshot":
        """Decode a stored snapshot; DamagedError if it is invalid."""
        try:
            fields = orjson.loads(text)
            return cls(
                time=parse_time(fields["time"]),
                tree=read_id(fields["tree"]),
                paths=_texts(fields.get("paths")),
                hostname=str(fields.get("hostname", "")),
                username=str(fields.get("username", "")),
                uid=int(fields.get("uid", 0)),
                gid=int(fields.get("gid", 0)),
                tags=flat_tags(_texts(fields.get("tags"))),
                excludes=_texts(fields.get("excludes")),
                parent=str(fields.get("parent", "")),
                original=str(fields.get("original", "")),
                program_version=str(fields.get("program_version", "")),
                id=snapshot_id,
                zone=_zone_of(fields["time"]),
                summary=_object(fields.get("summary")),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise DamagedError(f"Snapshot {snapshot_id[:8]} is damaged and was not read.") from None


def find_parent(
    snapshots: Iterable[Snapshot], *, hostname: str, paths: Iterable[str]
) -> Snapshot | None:
    """Return the newest snapshot of this host with all these paths, as stock restic does."""
    wanted = set(paths)
    fitting = (s for s in snapshots if s.hostname == hostname and wanted <= set(s.paths))
    return max(fitting, key=lambda s: s.time, default=None)


def find_name(names: Collection[str], wanted: str) -> str:
    """Return the only id with this prefix; SnapshotNotFoundError explains why there is none."""
    if not names:
        raise SnapshotNotFoundError("This repository holds no snapshot yet; make a backup first.")
    found = [name for name in names if _PREFIX.fullmatch(wanted) and name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    error = "More than one snapshot begins" if found else "No snapshot begins"
    raise SnapshotNotFoundError(
        f"{error} with {wanted[:70]!a}; `nightsafe snapshots` lists them all."
    )


def _zone_of(time: str) -> int:
    """Return the offset from UTC, in seconds, of a valid RFC 3339 time."""
    if time.endswith("Z"):
        return 0
    seconds = int(time[-5:-3]) * 3600 + int(time[-2:]) * 60
    return -seconds if time[-6] == "-" else seconds


def _strings(**fields: str) -> list[str]:
    return [f'"{name}":{_string(value)}' for name, value in fields.items() if value]


def _string(value: str) -> str:
    return json_string(value.encode("utf-8", "surrogateescape"))


def _array(values: Iterable[str]) -> str:
    return "[" + ",".join(map(_string, values)) + "]"


def _object(value: object) -> bytes:
    """Encode a JSON object; empty for anything else, so that no snapshot is lost over it."""
    try:
        return orjson.dumps(value) if isinstance(value, dict) else b""
    except orjson.JSONEncodeError:  # nested too deeply
        return b""


def _texts(values: object) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, list):
        raise TypeError("not a list")
    return tuple(map(str, values))
