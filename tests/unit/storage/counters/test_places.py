"""Every function that changes what is counted is known: it counts, or says why it need not.

A new one fails here. Count what it does (`storage/counters/tally.py`), or name it below.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from backup_service.env import BASE_DIR

COUNTED = {"state", "since", "parked_at", "region", "region_id", "object", "type", "size", "vault"}
BY_THEIR_CALLERS = {
    "storage/objects/damage.py:note_loss": "inside `changing`, of whoever found the damage",
    "storage/objects/damage.py:note_recovery": "inside `changing`, of the repair",
    "storage/objects/replicas.py:add": "inside `changing`, of commit and recovery",
    "storage/objects/replicas.py:ensure": "inside `changing`, of commit",
    "storage/objects/replicas.py:mark_stored": "by commit, recovery, repair and the replicator",
    "storage/objects/replicas.py:quarantine": "by whoever marks the next copy as stored",
    "storage/objects/commit.py:_join": "inside `changing`, of the commit",
    "storage/integrity/repair.py:_take": "inside `changing`, of `_take_back`",
    "storage/vaults/lifetimes.py:revive": "inside `changing`, of commit and recovery",
    "storage/rewind/worker.py:revive": "inside `changing`, of the undelete's step",
    "storage/replication/backfill.py:_give_up_idle": "inside `changing`, of `queue_missing`",
    "storage/deletion/purge.py:_begin": "inside `changing`, of `begin`",
}
OTHERS = {
    "storage/deletion/sweep.py:_forget_swept": "records of the sweep",
    "storage/deletion/sweep.py:_give_up_late_uploads": "attempts",
    "storage/deletion/sweep.py:forget": "attempts",
    "storage/integrity/future_times.py:_change": "counted by `_held`",
    "storage/integrity/future_times.py:correct": "heartbeats and canaries",
    "storage/integrity/reconcile.py:_handle_unknown": "bytes in a store",
    "storage/objects/commit.py:_note_milestones": "the vault's row",
    "storage/objects/commit.py:_take": "attempts",
    "storage/objects/replicas.py:doom": "attempts",
    "storage/regions/lifecycle.py:_move": "regions, whose status is read with the counts",
    "storage/regions/write_off.py:forget_attempts": "attempts",
    "storage/replication/backfill.py:_begin_in_time": "the walk's row",
    "storage/uploads/ingest.py:_clear": "attempts",
    "storage/uploads/ingest.py:_doom": "attempts",
    "storage/uploads/ingest.py:_forget": "attempts",
    "storage/uploads/presigned.py:give_up": "attempts",
    "storage/vaults/quota.py:settle_all": "reservations",
}
TABLES = {"Replica", "StoredObject"}


def test_every_place_counts_what_it_changes() -> None:
    known = BY_THEIR_CALLERS.keys() | OTHERS.keys()
    found = set(places())
    assert found >= known, "what is named here is no place any more"
    assert found - known == counting_ones(found - known)


def test_whoever_writes_a_tombstone_counts() -> None:
    callers = {
        name
        for name, node in functions().items()
        if any(isinstance(one, ast.Call) and called(one) == "tombstone" for one in ast.walk(node))
    }
    assert len(callers) > 5
    assert callers == counting_ones(callers)


def called(node: ast.Call) -> str:
    """Return the last name of what is called."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def places() -> Iterator[str]:
    """Yield the functions that may change what is counted, in modules that know the tables."""
    for name, node in functions().items():
        if TABLES & names_of(modules()[name.partition(":")[0]]) and any(
            is_write(one) for one in ast.walk(node)
        ):
            yield name


def counting_ones(names: set[str]) -> set[str]:
    return {name for name in names if "tally" in names_of(functions()[name])}


def is_write(node: ast.AST) -> bool:
    """Whether a call may change rows that are counted, as far as one can see."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    method, words = node.func.attr, {one.arg for one in node.keywords}
    if method == "update":
        return bool(words & {*COUNTED, None})
    if method in ("insert", "bulk_create", "create", "get_or_create", "update_or_create"):
        return bool(TABLES & names_of(node))
    return method == "delete" and isinstance(node.func.value, ast.Name | ast.Call)


def names_of(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def functions() -> dict[str, ast.AST]:
    """Return all functions of the server by module and name."""
    return {
        f"{where}:{node.name}": node
        for where, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


def modules() -> dict[str, ast.Module]:
    if not _MODULES:
        for path in sorted(Path(BASE_DIR / "storage").rglob("*.py")):
            if path.parent.name not in ("migrations", "counters"):
                _MODULES[str(path.relative_to(BASE_DIR))] = ast.parse(path.read_text())
    return _MODULES


_MODULES: dict[str, ast.Module] = {}
