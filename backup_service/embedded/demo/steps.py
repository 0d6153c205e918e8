"""The demonstration, step by step. Needs Django set up."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings

from backup_service.embedded.demo import source as sources
from backup_service.embedded.demo.agent import Agent, AgentResult
from backup_service.embedded.demo.compare import Comparison, compare
from backup_service.embedded.demo.customer import (
    EMAIL,
    DemoVault,
    ensure_customer,
    ensure_vault,
    kept_vault,
    remember,
    wait_for_replicas,
)
from backup_service.embedded.demo.errors import DemoError
from backup_service.embedded.demo.files import DemoFiles, write_private
from backup_service.embedded.demo.show import (
    print_list,
    size,
    step,
    what_is_left,
    where_to_look,
    write_hints,
)
from backup_service.env import BASE_DIR

EQUAL, DIFFERENT, INCOMPLETE = 0, 1, 3


def show(wish: str, *, once: bool) -> int:
    """Go through all steps, unless they have succeeded here before; return the exit status.

    `wish` is what to back up, or empty. `once`: go through them in any case; the service stops
    afterwards. Raises DemoError.
    """
    files = DemoFiles(settings.DATA_DIR)
    if once or wish or not files.done.exists():
        files.make()
        print("Showing it at work:", flush=True)
        source = _choose(files, wish)
        vault = _customer_and_vault(files)
        agent = _set_up(files, vault)
        stored = _back_up(agent, source)
        _copy(vault)
        _restore(agent, files, str(stored.summary["snapshot_id"]))
        status = _compare(source, files, unread=_paths(source, stored))
        if status != EQUAL:
            return status
        write_private(files.done, "")
    elif (kept := kept_vault(files)) is not None:
        write_hints(files, url=kept.url, username=kept.username, secret=kept.secret)
    end = what_is_left(files) if once else where_to_look(files, site_url=settings.SITE_URL)
    print(end, flush=True)
    return EQUAL


def _choose(files: DemoFiles, wish: str) -> Path:
    if wish:
        return sources.given(wish, files.data_dir)
    with step("Source") as one:
        sources.export_code(BASE_DIR, files.source)
        one.result = f"a copy of our own code, in {files.source}"
    return files.source


def _customer_and_vault(files: DemoFiles) -> DemoVault:
    with step("Customer") as one:
        vault = ensure_vault(files, ensure_customer(files))
        one.result = f"{EMAIL}, with a device and a vault"
    return vault


def _set_up(files: DemoFiles, vault: DemoVault) -> Agent:
    agent = Agent(files, vault)
    with step("Set up") as one:
        one.result = "the vault is there from before"
        if not vault.is_set_up:
            write_private(files.passphrase, secrets.token_urlsafe(24) + "\n")
            agent.init()
            remember(files, vault)
            one.result = "the vault has its key; the server never sees the passphrase"
    write_hints(files, url=vault.url, username=vault.username, secret=vault.secret)
    return agent


def _back_up(agent: Agent, source: Path) -> AgentResult:
    with step("Backup") as one:
        result = agent.backup(source, one.progress)
        said = result.summary
        count = said["files_new"] + said["files_changed"] + said["files_unchanged"]
        one.result = (
            f"{count} files, {size(said['bytes'])}: {size(said['added_bytes'])} new, "
            f"{size(said['stored_bytes'])} stored"
        )
    print_list("could not be read, and are not in the backup", _texts(result.failures))
    return result


def _copy(vault: DemoVault) -> None:
    with step("Copies") as one:
        counts = wait_for_replicas(vault, lambda missing: one.passing(f"{missing} to go"))
        regions = " and ".join(f"region {name}: {count}" for name, count in counts.items())
        one.result = f"objects in {regions}"


def _restore(agent: Agent, files: DemoFiles, snapshot: str) -> None:
    with step("Restore") as one:
        _empty(files.restored)
        result = agent.restore(snapshot, files.restored, one.progress)
        said = result.summary
        one.result = f"{said['files']} files, {size(said['bytes'])}, to {files.restored}"
    print_list("could not be restored", _texts(result.failures))


def _compare(source: Path, files: DemoFiles, *, unread: set[bytes]) -> int:
    with step("Compare") as one:
        found = compare(os.fsencode(source), os.fsencode(files.restored / source.name))
        surprises = found.beyond(unread)
        one.result = f"{_counts(found)}: {_summary(found, surprises)}"
    print_list("differ from what was backed up", [str(each) for each in surprises])
    if surprises:
        return DIFFERENT
    return INCOMPLETE if unread else EQUAL


def _counts(found: Comparison) -> str:
    text = f"{found.files} files, {found.folders} folders, {found.links} links"
    text += f", {found.others} devices and pipes" if found.others else ""
    return text + (f" (and {found.sockets} sockets left out)" if found.sockets else "")


def _summary(found: Comparison, surprises: list[Any]) -> str:
    if surprises:
        return "DIFFERENT"
    return "equal but for those that could not be read" if found.differences else "all equal"


def _empty(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise DemoError(f"{folder} cannot be emptied: {error.strerror}.") from error


def _texts(issues: list[dict[str, Any]]) -> list[str]:
    return [f"{issue['path']}: {issue['text']}" for issue in issues]


def _paths(source: Path, result: AgentResult) -> set[bytes]:
    """Return what could not be read; the agent names it from where it was started."""
    return {os.fsencode(source.parent / issue["path"]) for issue in result.failures}
