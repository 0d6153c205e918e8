#!/usr/bin/env bash
# django-anymail tells a full mailbox and an address that never was in the same words.
#
# Mail providers tell soft bounces (a full mailbox, a server that is down for a day) from hard ones
# (no such address). anymail brings the news of all of them into one form: an event type and a reason
# for it. Its event types have "deferred" beside "bounced", and so one takes "bounced" for final, and
# writes to nobody again whose mail bounced. Of Postmark's kinds it puts "Transient" and "DnsError"
# with the deferred ones; "SoftBounce" is told as "bounced" with the reason "bounced", exactly as
# "HardBounce" is. Only the provider's own message, kept beside it, has the difference. So an address
# is given up after some bounces in a row, not after one, or by the provider's own words.
#
# Seen on 30 November 2026 with django-anymail 15.2, Django 5.2.19:
#   HardBounce         bounced, bounced
#   SoftBounce         bounced, bounced
#   Transient          deferred, None
#   DnsError           deferred, None
#   BadEmailAddress    rejected, invalid
set -euo pipefail
here=$(realpath "${BASH_SOURCE[0]}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check \
  django-anymail==15.2 django==5.2.19
cat >"$scratch/tell.py" <<'PYTHON'
import base64
import json

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    ANYMAIL={"WEBHOOK_SECRET": "name:secret"},
    INSTALLED_APPS=["anymail"],
    ROOT_URLCONF="anymail.urls",
    SECRET_KEY="any",
    USE_TZ=True,
)
django.setup()

from anymail.signals import tracking
from django.test import Client

KINDS = {
    "HardBounce": 1,
    "SoftBounce": 4096,
    "Transient": 2,
    "DnsError": 256,
    "BadEmailAddress": 100000,
}
heard = []


def hear(sender, event, **more):
    heard.append(f"{event.event_type}, {event.reject_reason}")


tracking.connect(hear)
authorization = "Basic " + base64.b64encode(b"name:secret").decode()
for kind, code in KINDS.items():
    message = {
        "RecordType": "Bounce",
        "Type": kind,
        "TypeCode": code,
        "Email": "anna@example.org",
        "MessageID": "1",
        "BouncedAt": "2026-11-30T10:00:00Z",
        "Description": "as the provider says",
    }
    answer = Client().post(
        "/postmark/tracking/",
        json.dumps(message),
        "application/json",
        HTTP_AUTHORIZATION=authorization,
    )
    assert answer.status_code == 200, answer.content
    print(f"{kind:<18} {heard[-1]}")
PYTHON
"$scratch/venv/bin/python" "$scratch/tell.py" | tee "$scratch/told"
if ! diff "$scratch/told" <(sed -n 's/^#   \([A-Z].*\)/\1/p' "$here"); then
  echo "This is not what was seen." >&2
  exit 1
fi
echo "As seen."
