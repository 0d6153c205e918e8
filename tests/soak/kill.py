"""`python -m tests.soak.kill`: kill the agent many times, mid-backup and mid-prune."""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.soak.trial import BrokenPledgeError, Trial, kill_backups, kill_prunes
from tests.support.gateway import Gateway, start_gateway

_TRIALS = {"backup": (kill_backups, "backup"), "prune": (kill_prunes, "maintain")}


def main() -> int:
    """Run; 1 when a pledge was broken. The seed is printed, to try the same again."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.kill", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="kills of each kind (200)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--only", choices=list(_TRIALS), help="only one kind")
    args = parser.parse_args()
    restic = shutil.which("restic")
    if restic is None:
        print("stock restic is not installed; on Debian: apt install restic")
        return 1
    # Ended from outside, it ends its gateway too, as at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="nightsafe-soak-") as folder:
        gateway = start_gateway(Path(folder))
        try:
            return _run(gateway, restic, args, Path(folder))
        except (BrokenPledgeError, subprocess.TimeoutExpired) as error:
            print(f"BROKEN with seed {args.seed}: {error}")
            return 1
        except KeyboardInterrupt:
            print(f"stopped, with seed {args.seed}")
            return 130
        finally:
            gateway.stop()


def _run(gateway: Gateway, restic: str, args: argparse.Namespace, place: Path) -> int:
    email = gateway.customer("soak")
    for kind in [args.only] if args.only else _TRIALS:
        run, scope = _TRIALS[kind]
        print(f"killing {args.count} times mid-{kind}, seed {args.seed}", flush=True)
        holder = gateway.vault(email, name=kind, scope=scope)
        trial = Trial(holder, place / kind, restic, random.Random(args.seed))
        run(trial, args.count)
        print(f"{trial.kills} killed, {trial.finished} were quicker; all is well", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
