"""The settings of logging: one line an event, to standard error."""

import logging
from typing import Any

JSON, LINES = "json", "lines"
# They tell of every request and message, some with headers.
_TALKATIVE = ("stripe", "botocore", "boto3", "s3transfer", "urllib3", "celery", "kombu", "amqp")


class OnlyFailures(logging.Filter):
    """Let requests that broke into the log, and refusals (429, 503, 507) not: they are answers.

    Every answer has a line of its own (`logs.requests`).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep records that carry an exception."""
        return bool(record.exc_info)


def logging_settings(
    level: str, form: str, *, sentry_dsn: str = "", release: str = ""
) -> dict[str, Any]:
    """Return the settings of logging, from `level` on, as JSON or as LINES.

    With `sentry_dsn` errors are reported there too, as those of `release`. Raises ValueError for
    another form.
    """
    formatters = {JSON: "JsonFormatter", LINES: "LineFormatter"}
    if form not in formatters:
        raise ValueError(f"NIGHTSAFE_LOG_FORMAT is {JSON} or {LINES}, not {form}")
    reports = {
        "class": "backup_service.logs.error_reports.ErrorReports",
        "dsn": sentry_dsn,
        "release": release,
    }
    handlers: dict[str, Any] = {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}}
    if sentry_dsn:
        handlers["reports"] = reports
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"backup_service.logs.formats.{formatters[form]}"}},
        "filters": {"failures": {"()": "backup_service.logs.configuration.OnlyFailures"}},
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": level},
        "loggers": {
            "django.request": {"level": "ERROR", "filters": ["failures"]},
            # Their messages quote what was sent; the answer has its line.
            "django.security": {"level": "CRITICAL"},
            "django.security.csrf": {"level": "WARNING"},
            **{name: {"level": "WARNING"} for name in _TALKATIVE},
        },
    }
