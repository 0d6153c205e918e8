"""What goes into the logs, and what does not."""

import logging


class OnlyFailures(logging.Filter):
    """Let requests that broke into the log, and refusals (429, 503, 507) not: they are answers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep records that carry an exception."""
        return bool(record.exc_info)
