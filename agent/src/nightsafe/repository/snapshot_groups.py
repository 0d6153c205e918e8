"""Filters snapshots, and groups them by host, paths or tags."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nightsafe.errors import UsageError
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tags import TagList, has_tags

GROUPINGS = ("host", "paths", "tags")
_SPELLINGS = {"hosts": "host", "path": "paths", "tag": "tags"}


@dataclass(frozen=True)
class SnapshotFilter:
    """Selects snapshots that have any of `hosts`, any list of `tags`, and all `paths`."""

    hosts: tuple[str, ...] = ()
    tags: tuple[TagList, ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it matches every snapshot."""
        return self == SnapshotFilter()

    def matches(self, snapshot: Snapshot) -> bool:
        """Whether a snapshot is selected."""
        return (
            (not self.hosts or snapshot.hostname in self.hosts)
            and (not self.tags or any(has_tags(snapshot.tags, tags) for tags in self.tags))
            and set(self.paths) <= set(snapshot.paths)
        )


@dataclass(frozen=True)
class Group:
    """The fields that a group's snapshots share; None for a field that is not grouped by."""

    host: str | None = None
    paths: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None

    def __str__(self) -> str:
        parts = [f"host {self.host}"] if self.host else []
        parts += [f"paths {', '.join(self.paths)}"] if self.paths else []
        parts += [f"tags {', '.join(self.tags)}"] if self.tags else []
        return "; ".join(parts) or "all snapshots"


def parse_grouping(text: str) -> tuple[str, ...]:
    """Parse `host,paths,tags`; UsageError for other words."""
    names = tuple(_SPELLINGS.get(name, name) for name in text.split(",") if name)
    if unknown := [name for name in names if name not in GROUPINGS]:
        raise UsageError(f"Snapshots cannot be grouped by {unknown[0]!a}; use host, paths, tags.")
    return names


def grouped(snapshots: Iterable[Snapshot], by: Sequence[str]) -> dict[Group, list[Snapshot]]:
    """Return the snapshots of each group, in the given order."""
    groups: dict[Group, list[Snapshot]] = {}
    for snapshot in snapshots:
        groups.setdefault(_group_of(snapshot, by), []).append(snapshot)
    return groups


def newest_first(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Sort by time, newest first, and by id for equal times, so that the order is stable."""
    return sorted(snapshots, key=lambda one: (one.time, one.id), reverse=True)


def _group_of(snapshot: Snapshot, by: Sequence[str]) -> Group:
    return Group(
        snapshot.hostname if "host" in by else None,
        tuple(sorted(snapshot.paths)) if "paths" in by else None,
        tuple(sorted(snapshot.tags)) if "tags" in by else None,
    )
