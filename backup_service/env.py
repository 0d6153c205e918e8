"""Reads settings from the environment and, in embedded mode, from the data directory.

The launcher writes `service.env` into the data directory (ports, broker, secret key), so that
`manage.py` in another terminal talks to the same service without being told anything. Variables
of the real environment always win.
"""

import os
import secrets
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
SERVICE_ENV = "service.env"


def load() -> tuple[environ.Env, Path]:
    """Return the reader of settings and the data directory (absolute; may not exist yet)."""
    data_dir = Path(os.environ.get("DATA_DIR") or BASE_DIR / "data").expanduser().absolute()
    env = environ.Env()
    service_env = data_dir / SERVICE_ENV
    if service_env.is_file():
        env.read_env(service_env)
    return env, data_dir


def embedded_secret_key(data_dir: Path) -> str:
    """Return the data directory's own secret key, drawing it on first use (mode 0600)."""
    path = data_dir / "secret-key"
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)  # the first of several starting processes wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
