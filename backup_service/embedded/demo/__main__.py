"""`python -m backup_service.embedded.demo`: run against a started service (DATA_DIR names it).

Exit status: 0 what came back is equal; 3 some files could not be read, all others are equal;
1 anything else.
"""

import argparse
import os
import sys

import django

from backup_service.embedded.demo.errors import DemoError


def main() -> int:
    """Show it once a data directory, or with --once every time."""
    parser = argparse.ArgumentParser(prog="python -m backup_service.embedded.demo")
    parser.add_argument(
        "--once", action="store_true", help="even if it was shown before; then the service stops"
    )
    parser.add_argument("--source", default="", help="what to back up; our own code without it")
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
    django.setup()
    from backup_service.embedded.demo import steps  # needs Django set up

    try:
        return steps.show(arguments.source, once=arguments.once)
    except DemoError as error:
        print(f"nightsafe: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
