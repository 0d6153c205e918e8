"""Reports errors to the operator's Sentry: where something broke, and never with what.

A handler of the log, there only if SENTRY_DSN is set; nothing else imports this module or Sentry's
library. A report is put together here from what cannot hold a customer's data: types of exceptions,
lines of our source, names of routes, tasks and commands, the account's public id, and the request's
id, by which the log has the rest. Texts are left out, those of exceptions as well: they quote what
was sent. No integration of the library's is used, for those collect first and scrub then.
"""

import inspect
import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import CodeType, TracebackType
from typing import Any

import sentry_sdk
from celery import current_task
from django.core.management import get_commands
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from sentry_sdk.utils import event_from_exception

from accounts import request_facts
from backup_service.logs.request_context import answering, current, route_of

FLUSH = 2.0  # seconds that a process which ends waits for its last report
# Where people sign in, prove who they are and are shown secrets, and what others' systems post.
SILENT = (
    "accounts/",
    "admin/login/",
    "anymail/",
    "billing/webhook/",
    "connect/",
    "devices/add/",
    "invitations/",
    "mail/",
    "settings/notifications/endpoints/",
    "settings/tokens/",
    "unsubscribe/",
    "vaults/<str:vault_id>/credentials/",
    "vaults/<str:vault_id>/set-up/",
)
SILENT_WITH_BODY = ("api/", "restic/")
# Reports about reports would have no end, and of a page that broke `django.request` tells more.
_UNTOLD = ("sentry_sdk", "urllib3", "nightsafe.requests")
_MARK = "sensitive_variables_wrapper"  # Django's, around what handles secrets
_FRAME = (
    "filename",
    "function",
    "module",
    "lineno",
    "context_line",
    "pre_context",
    "post_context",
    "in_app",
)


class ErrorReports(logging.Handler):
    """Sends what is logged as an error, from a thread of its own that nobody waits for.

    Up to a hundred reports wait; where they cannot be sent, they are dropped.
    """

    def __init__(self, dsn: str, release: str) -> None:
        super().__init__(logging.ERROR)
        self._client = sentry_sdk.Client(
            dsn,
            release=release,
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            send_client_reports=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            propagate_traces=False,
            server_name="",
            shutdown_timeout=FLUSH,
        )
        self._before = sys.excepthook
        sys.excepthook = self._ended

    def emit(self, record: logging.LogRecord) -> None:
        """Report an error, unless it came up where secrets are handled."""
        with suppress(Exception):  # nothing may fail because a report does, nor quote its record
            self._report(record)

    def close(self) -> None:
        """Send what waits, for FLUSH at most, and report no more. Python calls it at its end."""
        if sys.excepthook == self._ended:
            sys.excepthook = self._before
        self._client.close(timeout=FLUSH)
        super().close()

    def _report(self, record: logging.LogRecord) -> None:
        request = getattr(record, "request", None) or answering.get()
        if record.name.startswith(_UNTOLD) or _is_silent(request) or _is_marked(record):
            return
        event: dict[str, Any] = {
            "level": "fatal" if record.levelno >= logging.FATAL else "error",
            "logger": record.name,
            "tags": _tags(request),
        }
        if record.exc_info and record.exc_info[1] is not None:
            shaped, _ = event_from_exception(record.exc_info, client_options=self._client.options)
            event["exception"] = {"values": [_place(one) for one in shaped["exception"]["values"]]}
        else:
            event["logentry"] = {"message": f"{record.name}: {record.module}.{record.funcName}"}
        self._client.capture_event(event)  # type: ignore[arg-type]  # a TypedDict of the library's

    def _ended(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        """Report the error that a program ends with, such as a management command."""
        if isinstance(error, Exception):
            told = (kind, error, traceback)
            self.emit(logging.LogRecord(_command(), logging.FATAL, "", 0, "", None, told))
        self._before(kind, error, traceback)


def _place(raised: dict[str, Any]) -> dict[str, Any]:
    """Return of an exception its type and where it came from."""
    frames = raised.get("stacktrace", {}).get("frames", [])
    return {
        "type": raised.get("type"),
        "module": raised.get("module"),
        "stacktrace": {
            "frames": [{key: frame[key] for key in _FRAME if key in frame} for frame in frames]
        },
    }


def _tags(request: HttpRequest | None) -> dict[str, str]:
    """Return what tells where an error belongs, by names and ids of ours alone."""
    tags = {"request": current.get(), "task": current_task.name if current_task else ""}
    if request is not None:
        tags |= {"route": route_of(request), "account": str(_account(request))}
    else:
        tags["command"] = _command() if not current_task else ""
    return {name: value for name, value in tags.items() if value}


def _account(request: HttpRequest) -> object:
    return request_facts.noted(request).get("account", "")


def _command() -> str:
    """Return the name of the management command that runs here, or ""."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    return name if name in get_commands() else ""


def _is_silent(request: HttpRequest | None) -> bool:
    """Return whether nothing is told of a page."""
    if request is None:
        return False
    try:
        match = request.resolver_match or resolve(request.path_info)
    except Resolver404:
        return False
    with_body = request.method not in ("GET", "HEAD", "OPTIONS")
    return match.route.startswith((*SILENT, *(SILENT_WITH_BODY if with_body else ())))


def _is_marked(record: logging.LogRecord) -> bool:
    """Return whether something on the way to the error is marked as handling secrets."""
    return any(code.co_name == _MARK for code in (*_called(), *_raised_in(record)))


def _called() -> Iterator[CodeType]:
    frame = inspect.currentframe()
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def _raised_in(record: logging.LogRecord) -> Iterator[CodeType]:
    error = record.exc_info[1] if record.exc_info else None
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback = error.__traceback__
        while traceback is not None:
            yield traceback.tb_frame.f_code
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
