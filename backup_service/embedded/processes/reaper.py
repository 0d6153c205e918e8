"""Ends the process groups that a killed launcher leaves behind.

Run as a script by the launcher, which writes `+<group>` and `-<group>` lines for the process
groups it starts and has seen end. When the pipe closes, the launcher is gone, however it died:
whatever groups are still on the list are killed, workers of workers included. The processes the
launcher starts itself ask the kernel to be killed with it besides (`child.py`); this reaches the
ones those start. Imports nothing of ours, so that it stays small.
"""

import os
import signal
import sys


def main() -> None:
    """Read the list until the pipe closes, then kill what is on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
