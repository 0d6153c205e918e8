"""What goes into the logs, and what does not."""

import logging
from typing import Any


class OnlyFailures(logging.Filter):
    """Let requests that broke into the log, and refusals (429, 503, 507) not: they are answers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep records that carry an exception."""
        return bool(record.exc_info)


def logging_settings(level: str) -> dict[str, Any]:
    """Return the settings of logging: one line an event, from `level` on, to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        },
        "filters": {"failures": {"()": "backup_service.logs.OnlyFailures"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.request": {"level": "ERROR", "filters": ["failures"]},
            "stripe": {"level": "WARNING"},  # it logs addresses with their parameters
        },
    }
