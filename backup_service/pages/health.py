"""`/healthz` and `/readyz`: is this process of use, and is the service whole?

The broker only carries wake-ups: without it everything is served and stored, and replicas follow a
little later. So `/healthz`, by which proxies and supervisors take a process out of use, names it
and does not count it.
"""

from datetime import timedelta
from http import HTTPStatus

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from backup_service import clock
from storage.models import Heartbeat

WORKER_SILENCE = timedelta(seconds=60)


@csrf_exempt
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when this web process and the database answer, which is all that customers need."""
    return _answer({"database": _database()}, {"broker": _broker()})


@csrf_exempt
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when, besides, the broker answers and a worker has been heard of lately."""
    return _answer({"database": _database(), "broker": _broker(), "worker": _worker()})


def _answer(needed: dict[str, str], told: dict[str, str] | None = None) -> JsonResponse:
    well = all(state == "ok" for state in needed.values())
    status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"ok": well, **needed, **(told or {})}, status=status)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "does not answer"
    return "ok"


def _broker() -> str:
    client = redis.Redis.from_url(
        settings.BROKER_URL, socket_timeout=1.0, socket_connect_timeout=1.0
    )
    try:
        client.ping()
    except redis.RedisError:
        return "does not answer"
    finally:
        client.close()
    return "ok"


def _worker() -> str:
    try:
        beat = Heartbeat.objects.filter(name="worker").first()
    except DatabaseError:
        return "unknown"
    if beat is None:
        return "not heard of yet"
    silence = clock.now() - beat.at
    return "ok" if silence < WORKER_SILENCE else f"silent for {silence.total_seconds():.0f} s"
