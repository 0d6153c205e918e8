"""`python -m tests.soak.workers`: kill a worker many times while it replicates.

Objects come in all the time, and every worker is killed (SIGKILL) at a random moment. Afterwards
another one makes all replicas within ten minutes of the service's clock; nothing is lost, nothing
is charged twice, and no bytes are left lying about.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from tests.soak.points import BrokenPledgeError, Trial, prepare

WITHIN = timedelta(minutes=10)
LONGEST_LIFE = 0.25  # seconds


def kill_workers(trial: Trial, count: int) -> int:
    """Kill `count` workers, each while there is work; return how many died at it."""
    from storage.models import Replica

    died = 0
    while died < count:
        while Replica.objects.filter(state="pending", lease_token="").count() < 8:
            trial.keep()
        died += _kill_one(trial.chance.uniform(0.0, LONGEST_LIFE))
    return died


def _kill_one(seconds: float) -> bool:
    """Start a worker and kill it after a while; return whether it was still at work."""
    from django.db import connections

    from storage.replication.replicator import replicate_due

    connections.close_all()
    pid = os.fork()
    if pid == 0:
        try:
            replicate_due()
        finally:
            os._exit(0)
    time.sleep(seconds)
    ended, _ = os.waitpid(pid, os.WNOHANG)
    if ended:
        return False
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def require_complete(trial: Trial) -> None:
    """Let a worker go on; all replicas have to be there in time. Raises BrokenPledgeError."""
    from backup_service import clock
    from storage.models import Replica
    from storage.replication.replicator import replicate_due
    from storage.vaults.recovery_point import recovery_point

    with clock.travelled(WITHIN):
        while replicate_due():
            continue
    waiting = Replica.objects.exclude(state="stored")
    if waiting.exists() or not recovery_point(trial.vault).is_now:
        raise BrokenPledgeError(f"{waiting.count()} copies are still not there")
    trial.settle()


def main() -> int:
    """Run; 1 when a pledge was broken. The seed is printed, to try the same again."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.workers", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="kills (300)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="nightsafe-workers-") as folder:
        prepare(Path(folder))
        trial = Trial(random.Random(args.seed))
        try:
            died = kill_workers(trial, args.count)
            require_complete(trial)
        except BrokenPledgeError as error:
            print(f"BROKEN with seed {args.seed}: {error}")
            return 1
    print(f"{died} workers killed over {len(trial.acknowledged)} objects; all copies are there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
