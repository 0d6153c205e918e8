"""Wake-ups: they name a task that exists, and cost nothing when the broker is away."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from backup_service import celery_app
from storage import tasks, wakeups
from tests.unit.storage.conftest import Caller, some


def test_the_task_they_name_exists() -> None:
    assert tasks.replicate_due.name == wakeups.REPLICATION
    assert tasks.tell_losses.name == wakeups.LOSSES
    celery_app.loader.import_default_modules()
    assert {wakeups.REPLICATION, wakeups.LOSSES} <= set(celery_app.tasks)


def test_every_tick_of_beat_names_a_task() -> None:
    celery_app.loader.import_default_modules()
    for entry in celery_app.conf.beat_schedule.values():
        assert entry["task"] in celery_app.tasks


@pytest.fixture
def closing_broker() -> Iterator[tuple[str, list[float]]]:
    """A broker that hangs up on everybody; its address, and when somebody came."""
    came: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                came.append(time.monotonic())
                client.close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0", came
        server.shutdown(socket.SHUT_RDWR)


def test_a_wake_up_is_tried_once(closing_broker: tuple[str, list[float]]) -> None:
    """Not again and again, with pauses between, while others wait to be sent."""
    address, came = closing_broker
    app = Celery("other", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.broker_url = address
    with wakeups.connection(app) as broker, pytest.raises(OperationalError):
        app.send_task(wakeups.REPLICATION, connection=broker, retry=False)
    print(f"{len(came)} connections in {came[-1] - came[0]:.2f} s")
    assert len(came) <= 2
    app.close()


def test_everything_is_asked_for_without_waiting_for_beat() -> None:
    app = Celery("in memory", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = celery_app.conf.beat_schedule
    assert wakeups.everything(app)
    came = set()
    with app.connection_for_read() as broker, broker.SimpleQueue("celery") as queue:
        while len(queue):
            came.add(queue.get_nowait().headers["task"])
    assert came == {entry["task"] for entry in app.conf.beat_schedule.values()}
    app.close()


def test_everything_asked_of_a_broker_that_is_away_costs_nothing(
    closing_broker: tuple[str, list[float]],
) -> None:
    app = Celery("away", broker=closing_broker[0], set_as_current=False)
    app.conf.beat_schedule = celery_app.conf.beat_schedule
    assert not wakeups.everything(app)
    assert len(closing_broker[1]) <= 2
    app.close()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_upload_does_not_wait_for_a_broker_that_is_away(backup: Caller) -> None:
    begun = time.monotonic()
    assert backup.put(some()).status_code == 200
    assert time.monotonic() - begun < 5


@pytest.mark.django_db
def test_tasks_do_their_work(backup: Caller) -> None:
    backup.put(some())
    tasks.replicate_due()
    tasks.heartbeat()
    tasks.scrub_due()
    tasks.sweep()
    tasks.expire()
    from storage.models import Heartbeat, Replica

    assert Replica.objects.filter(state="stored").count() == 2
    assert Replica.objects.filter(verified_at=None).count() == 0
    assert Heartbeat.objects.get(name="worker").name == "worker"
