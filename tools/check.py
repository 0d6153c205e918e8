"""`python -m tools.check`: what can be told without running the service. All checks are tried."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backup_service.env import BASE_DIR

BIN = Path(sys.executable).parent
MANAGE = [sys.executable, "manage.py"]
# A service as in production, as far as Django's own checks look.
_PRODUCTION = {
    "DATABASE_URL": "postgres://nightsafe@127.0.0.1/nightsafe",
    "NIGHTSAFE_SITE_URL": "https://nightsafe.example",
    "NIGHTSAFE_GATEWAY_URL": "https://nightsafe.example",
    "NIGHTSAFE_ALLOWED_HOSTS": "nightsafe.example",
    "NIGHTSAFE_SECRET_KEY": secrets.token_urlsafe(60),
    "NIGHTSAFE_REGIONS": "a=/regions/a,b=/regions/b",
}


@dataclass(frozen=True)
class Check:
    """One command that must end with status 0."""

    title: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


CHECKS = (
    Check("lint", [str(BIN / "ruff"), "check", "--quiet", "."]),
    Check("form", [str(BIN / "ruff"), "format", "--quiet", "--check", "."]),
    Check("types", [str(BIN / "mypy"), "--no-error-summary"]),
    Check("sizes", [sys.executable, "-m", "tools.sizes"]),
    Check("spelling", [str(BIN / "codespell")]),
    Check("coverage", [sys.executable, "-m", "tools.coverage", "--agree"]),
    Check("layers", [str(BIN / "lint-imports"), "--no-logo"]),
    Check("templates", [str(BIN / "djlint"), "--quiet", "--check", "--lint", "templates"]),
    Check("migrations", [*MANAGE, "makemigrations", "--check", "--dry-run", "-v1"]),
    Check("settings", [*MANAGE, "check", "--fail-level=WARNING"]),
    Check("deploy", [*MANAGE, "check", "--deploy", "--fail-level=WARNING"], _PRODUCTION),
    Check(
        "gateway",
        [*MANAGE, "check", "--deploy", "--fail-level=WARNING"],
        {**_PRODUCTION, "NIGHTSAFE_ROLE": "gateway"},
    ),
)


def main() -> int:
    """Run all; show the output of those that fail; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="nightsafe-checks-") as data_dir:
        results = [_run(check, data_dir) for check in CHECKS]
    failed = results.count(False)
    print(f"{failed} of {len(CHECKS)} checks FAILED" if failed else f"all {len(CHECKS)} checks ok")
    return 1 if failed else 0


def _run(check: Check, data_dir: str) -> bool:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("NIGHTSAFE_")
    }
    begun = time.monotonic()
    done = subprocess.run(
        check.command,
        env={**kept, "DATA_DIR": data_dir, **check.environment},
        cwd=BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    is_well = done.returncode == 0
    word = "ok    " if is_well else "FAILED"
    print(f"{word} {check.title:<11} {time.monotonic() - begun:5.1f} s", flush=True)
    if not is_well:
        print(done.stdout, flush=True)
    return is_well


if __name__ == "__main__":
    sys.exit(main())
