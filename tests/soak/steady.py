"""`python -m tests.soak.steady`: back up 300 files that never change, amidst all that can fail.

Folders come and go, files become folders, a disk fails in places, and paths are too long. Each
snapshot must hold all 300, each tree must be readable, and what is missing must be named.
"""

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

from tests.hardship.conftest import mounted
from tests.soak.changing_folders import BrokenPledgeError, ChangingFolders

_PROOF_EVERY = 50


def main() -> int:
    """Run; 1 when a pledge was broken. The seed is printed, to try the same again."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.steady", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="backups (200)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    args = parser.parse_args()
    print(f"backing up {args.count} times, seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="nightsafe-soak-") as folder:
        place = Path(folder)
        with mounted(place, ()) as mount:
            try:
                return _run(ChangingFolders(place, mount, random.Random(args.seed)), args.count)
            except BrokenPledgeError as error:
                print(f"BROKEN with seed {args.seed}: {error}")
                return 1
            except KeyboardInterrupt:
                print(f"stopped, with seed {args.seed}")
                return 130


def _run(changing: ChangingFolders, count: int) -> int:
    for number in range(1, count + 1):
        changing.back_up()
        if number % _PROOF_EVERY == 0 or number == count:
            changing.prove()
            print(
                f"{number} backups, {changing.moved} entries came, went or were swapped", flush=True
            )
    print(f"all {len(changing.steady)} files are in each of {count} snapshots")
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
