"""Takes out of a text what looks like a secret.

Nothing is to be logged that holds one; this is the net below. A library's message, or a database's
about a row that it did not take, is not in our hands.
"""

import re

GONE = "[removed]"
_NAMES = (
    r"authorization|proxy-authorization|cookie|set-cookie|password\w*|passphrase|secret\w*|"
    r"[\w-]*token|api[_-]?key|[\w-]*signature|x-amz-credential|sessionid|device_code|user_code|otp"
)
_PATTERNS = [
    # PostgreSQL shows the whole row that it did not take.
    (re.compile(r"(Failing row contains \(|Key \([^)]*\)=\().*"), rf"\1{GONE}"),
    (re.compile(r"(?i)\b(basic|bearer)\s+[a-z0-9+/=_.~:-]{6,}"), rf"\1 {GONE}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{GONE}@"),
    (
        re.compile(r"(?i)\b((?:stripe-signature|(?:set-)?cookie)[\"']?\s*[:=]\s*)[^\n]+"),
        rf"\1{GONE}",
    ),
    # Of API tokens, Stripe's keys, keys of webhooks.
    (re.compile(r"\b(nst|whsec|sk|rk)_[\w-]{8,}"), rf"\1_{GONE}"),
    (
        re.compile(
            rf"(?i)(?<![\w-])((?:{_NAMES})[\"']?\s*[:=]\s*[\"']?)(?!{re.escape(GONE)})[^\s\"'&,;)}}]+"
        ),
        rf"\1{GONE}",
    ),
]


def without_secrets(text: str) -> str:
    """Return a text in which GONE stands for everything that looks like a secret."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text
