"""`python -m backup_service.embedded serve|run`: the whole service on this computer.

`serve` starts it; `run` shows it at work besides: a backup and a restore, compared. The
environment may set PORT (8000), DATA_DIR (./data), REGIONS=s3 (two S3-compatible stores in place of
two directories), and for `run` SOURCE (what to back up) and ONCE=1 (stop afterwards; the exit
status tells whether what came back is equal).
"""

import argparse
import os
import sys

from backup_service.embedded.errors import LaunchError
from backup_service.embedded.launcher import launch


def main() -> int:
    """Parse, launch, and put errors into words."""
    parser = argparse.ArgumentParser(
        prog="python -m backup_service.embedded",
        description="Run the whole service on this computer.",
    )
    parser.add_argument("mode", choices=["serve", "run"])
    arguments = parser.parse_args()
    try:
        return launch(os.environ, with_demo=arguments.mode == "run")
    except LaunchError as error:
        print(f"nightsafe: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
