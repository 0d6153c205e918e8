"""gunicorn's own log in the form of all others: it names addresses with their queries."""

import os
import re
from typing import Any

from gunicorn.glogging import Logger

_UNREADABLE = re.compile(r"(Invalid request from ip=[^ ]*: [^:'\"]*)[:'\"].*", re.DOTALL)


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """The logger of a web process: `--logger-class=backup_service.logs.gunicorn_logger.…`."""

    def warning(self, msg: object, *args: object, **more: Any) -> None:
        """Log a warning; of a request that cannot be read, what is wrong and not what was sent."""
        super().warning(_UNREADABLE.sub(r"\1", str(msg)), *args, **more)

    def exception(self, msg: object, *args: object, **more: Any) -> None:
        """Log a fault, without the address at which it came up."""
        if str(msg).startswith("Error handling request"):
            msg, args = "a request broke", ()
        super().exception(msg, *args, **more)

    def setup(self, cfg: Any) -> None:
        """Set up as gunicorn does, with the formatter of our settings."""
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
        super().setup(cfg)
        from django.conf import settings
        from django.utils.module_loading import import_string

        formatter = import_string(settings.LOGGING["formatters"]["line"]["()"])()
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter)
