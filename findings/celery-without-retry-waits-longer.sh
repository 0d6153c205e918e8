#!/usr/bin/env bash
# Celery on Redis: a task that is sent with retry=False waits ten times longer for a dead broker.
#
# Whoever sends a task in the middle of a request, and can do without it, turns repeats off, so that
# a broker that is not there costs next to nothing. It costs six seconds. Before anything is sent,
# kombu wants a connection. With retry=True, as it is by default, the policy for sending (three
# repeats, each 0.2 s later) holds for that as well, and the error comes after 0.6 s. With retry=False
# there is no policy, which does not mean one try: it connects anew, with pauses of two seconds and
# more, until four seconds are over. What helps is a transport option, max_retries=0.
#
# Seen on 29 November 2026 with celery 5.7.0, kombu 5.7.0, redis 8.1.0 (for Python); nothing listens:
#   retry=True                    OperationalError, within 3 seconds
#   retry=False                   OperationalError, after more than 5 seconds
#   retry=False, max_retries=0    OperationalError, within 3 seconds
set -euo pipefail
here=$(realpath "${BASH_SOURCE[0]}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check \
  celery==5.7.0 kombu==5.7.0 redis==8.1.0 packaging==26.3
cat >"$scratch/send.py" <<'PYTHON'
import socket
import sys
import time

from celery import Celery

retry, options = {
    "retry=True": (True, {}),
    "retry=False": (False, {}),
    "retry=False, max_retries=0": (False, {"max_retries": 0}),
}[sys.argv[1]]
with socket.socket() as taken:  # bound and not listening, so that connections are refused
    taken.bind(("127.0.0.1", 0))
    broker = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
    app = Celery(broker=broker, broker_transport_options=options)
    begun = time.monotonic()
    try:
        app.send_task("any", retry=retry)
    except Exception as error:
        name = type(error).__name__
seconds = time.monotonic() - begun
print(f"{sys.argv[1]}: {seconds:.2f} s", file=sys.stderr)
length = "within 3" if seconds < 3 else "after more than 5" if seconds > 5 else f"after {seconds:.1f}"
print(f"{sys.argv[1]:<29} {name}, {length} seconds")
PYTHON
for how in 'retry=True' 'retry=False' 'retry=False, max_retries=0'; do
  "$scratch/venv/bin/python" "$scratch/send.py" "$how"
done | tee "$scratch/told"
if ! diff "$scratch/told" <(sed -n 's/^#   \(retry.*\)/\1/p' "$here"); then
  echo "This is not what was seen." >&2
  exit 1
fi
echo "As seen."
