#!/usr/bin/env bash
# cronsim where clocks are set by half an hour, and within the hour that comes twice.
#
# An expression with a star in its first two fields follows the clock's face: `30 * * * *` is whenever
# the clock shows half past. On Lord Howe Island clocks are set from 02:00 to 02:30, which is half
# past. cronsim leaves it out: it counts the minutes to the one that is wanted as if nobody set the
# clock, passes the change on the way, and looks for the next one from where it then is. Where clocks
# are set by a whole hour the minute is the same after it, and the next time is right.
#
# Asked within the second of two equal hours, for an expression without such a star, it answers with
# a time of the first one, which is before the time that it was asked from: for these it puts the zone
# aside, and which of the two hours it was goes with it.
#
# Seen on 1 December 2026 with cronsim 2.8 and tzdata 2026.4:
#   30 * * * *, Lord Howe    01:30+1030 03:30+1100
#   30 2 * * *, Berlin       asked from 02:15+0100, next 02:30+0200: 45 minutes before
set -euo pipefail
here=$(realpath "${BASH_SOURCE[0]}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check cronsim==2.8 tzdata==2026.4
cat >"$scratch/ask.py" <<'PYTHON'
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

start = datetime(2017, 10, 1, 1, 0, tzinfo=ZoneInfo("Australia/Lord_Howe"))
found = islice(CronSim("30 * * * *", start), 2)
print("30 * * * *, Lord Howe   ", *(f"{one:%H:%M%z}" for one in found))
asked = datetime(2026, 10, 25, 2, 15, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
answer = next(CronSim("30 2 * * *", asked))
minutes = (asked.timestamp() - answer.timestamp()) / 60
told = f"asked from {asked:%H:%M%z}, next {answer:%H:%M%z}"
print(f"30 2 * * *, Berlin       {told}: {minutes:.0f} minutes before")
PYTHON
PYTHONTZPATH="" "$scratch/venv/bin/python" "$scratch/ask.py" | tee "$scratch/told"
if ! diff "$scratch/told" <(sed -n 's/^#   \(30 .*\)/\1/p' "$here"); then
  echo "This is not what was seen." >&2
  exit 1
fi
echo "As seen."
