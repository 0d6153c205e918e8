"""The two codes of a request: a short one to type, a long one that nobody sees."""

import hashlib
import secrets

# No vowels, so that no words come about, and nothing that looks like something else (RFC 8628).
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH = 8


def new_user_code() -> str:
    """Return a code to type: 8 letters of 20, or 34 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def new_device_code() -> str:
    """Return a code for the program alone, of 256 random bits."""
    return secrets.token_urlsafe(32)


def shown(user_code: str) -> str:
    """Return a code in two groups, as it is shown."""
    return f"{user_code[:4]}-{user_code[4:]}"


def normalise(typed: str) -> str:
    """Return what somebody typed as it was made: capitals, nothing between them."""
    return "".join(letter for letter in typed.upper() if letter.isalnum())[: 2 * LENGTH]


def digest(code: str) -> str:
    """Return the hash under which a code is kept."""
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
