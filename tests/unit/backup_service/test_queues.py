"""Every queue has workers, and what must not wait has one of its own."""

import shlex

import pytest
from django.conf import settings

from backup_service.celery import app
from backup_service.embedded.processes import programs
from storage import wakeups
from tests.support.compose import read

URGENT = {
    f"storage.tasks.{name}"
    for name in ("heartbeat", "watch_all", "tell_losses", "replicate_due", "look_at_regions")
}
SLOW = {
    f"storage.tasks.{name}"
    for name in ("sweep", "expire", "scrub_due", "survey_regions", "recount")
}
OUTSIDE = {
    *("accounts.tasks.deliver_mails", "accounts.tasks.deliver_to_endpoints"),
    "accounts.tasks.deliver_to_failing_endpoints",
    "storage.tasks.probe_mail",
    *("billing.tasks.work_off_events", "billing.tasks.reconcile_customers"),
    "billing.tasks.end_payments",
}


def queue_of(task: str) -> str:
    return str(app.amqp.router.route({}, task)["queue"].name)


def served(commands: list[list[str]]) -> set[str]:
    options = [word for command in commands for word in command if word.startswith("--queues=")]
    return {queue for option in options for queue in option.partition("=")[2].split(",")}


def tasks() -> set[str]:
    app.loader.import_default_modules()
    not_ours = ("celery.", "tests.")
    return {name for name, one in app.tasks.items() if not one.__module__.startswith(not_ours)}


def test_heartbeat_watch_and_copies_never_wait_behind_a_sweep() -> None:
    assert tasks() >= URGENT | SLOW
    assert {queue_of(task) for task in URGENT} == {settings.CELERY_TASK_DEFAULT_QUEUE}
    assert settings.CELERY_TASK_DEFAULT_QUEUE not in {queue_of(task) for task in SLOW}


def test_what_waits_for_others_holds_up_nothing_of_ours() -> None:
    assert tasks() >= OUTSIDE
    assert not {queue_of(task) for task in OUTSIDE} & {queue_of(task) for task in tasks() - OUTSIDE}


def test_every_route_is_of_a_task_that_is_there() -> None:
    assert tasks() >= set(settings.CELERY_TASK_ROUTES)


@pytest.mark.parametrize("mode", ["embedded", "docker"])
def test_every_queue_is_served(mode: str) -> None:
    if mode == "embedded":
        workers = (programs.worker(), programs.upkeep(), programs.outside())
        commands = [list(worker.argv) for worker in workers]
    else:
        services = read()["services"].values()
        commands = [shlex.split(service["command"]) for service in services if "command" in service]
        commands = [command for command in commands if "worker" in command]
    assert served(commands) == {queue_of(task) for task in tasks()}
    apart = [served([command]) for command in commands]
    assert all(len(queues) == 1 for queues in apart)


def test_nothing_is_left_to_somebody_who_never_asks() -> None:
    sent = {entry["task"] for entry in app.conf.beat_schedule.values()}
    woken = {name for name in vars(wakeups).values() if isinstance(name, str) and ".tasks." in name}
    assert tasks() <= sent | woken


def test_what_beat_sends_is_there() -> None:
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= tasks()
