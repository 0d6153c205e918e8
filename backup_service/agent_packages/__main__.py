"""`python -m backup_service.agent_packages [--to FOLDER]`: makes what `/download/` hands out."""

import argparse
import sys
from pathlib import Path

from backup_service.agent_packages.build import BuildError, publish
from backup_service.env import BASE_DIR


def main() -> int:
    """Make the packages; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m backup_service.agent_packages")
    parser.add_argument("--to", type=Path, default=BASE_DIR / "packages", metavar="FOLDER")
    target = parser.parse_args().to.absolute()
    try:
        packages = publish(BASE_DIR, target)
    except BuildError as error:
        print(f"The agent's packages could not be made.\n{error}", file=sys.stderr)
        return 1
    print(f"{len(packages)} packages in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
