"""Turns records into lines: JSON for machines, plain text for people.

A record may carry facts, as in `log.info("refused", extra={"facts": {"status": 507}})`, and belongs
to the request that its thread answers.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from backup_service.logs.request_context import current, route_of
from backup_service.logs.secrets_out import without_secrets


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`, `request`, facts, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told: dict[str, Any] = {
            "at": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(_message(record)),
        }
        if request := current.get():
            told["request"] = request
        told |= {name: _plain(value) for name, value in _facts(record).items() if name not in told}
        if record.exc_info:
            told["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(told, default=str)


class LineFormatter(logging.Formatter):
    """Time, level, logger, message, and facts as `name=value`; tracebacks below."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines."""
        facts = _facts(record)
        if request := current.get():
            facts = {**facts, "request": request}
        pairs = "".join(f" {name}={_shown(value)}" for name, value in facts.items())
        line = f"{_moment(record)} {record.levelname} {record.name}: {_message(record)}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_secrets(line)


def _message(record: logging.LogRecord) -> str:
    """Return the message; of a request that it is about, the route instead of the path.

    Paths hold what opens something: of an invitation, of the end of a mailing.
    """
    text = record.getMessage()
    request = getattr(record, "request", None)
    path = getattr(request, "path", "")
    if len(path) > 1:
        text = text.replace(path, route_of(request))
    return text


def _facts(record: logging.LogRecord) -> Mapping[str, Any]:
    facts = getattr(record, "facts", None)
    return facts if isinstance(facts, dict) else {}


def _plain(value: Any) -> Any:
    return without_secrets(value) if isinstance(value, str) else value


def _shown(value: Any) -> str:
    text = str(value)
    return json.dumps(text) if not text or set(text) & set(' "=\n') else text


def _moment(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"
