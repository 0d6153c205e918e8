"""How hard a passphrase is to guess for somebody who holds the vault, as zxcvbn estimates it."""

_MOST = 72  # characters that zxcvbn takes
_STRONG = 4  # its best score: ten thousand million guesses and more


def weakness(passphrase: str) -> str:
    """Return in a sentence how soon a passphrase is guessed; empty if not for years.

    What is beyond the first 72 characters makes it no weaker, so they are judged alone.
    """
    from zxcvbn import zxcvbn

    found = zxcvbn(passphrase[:_MOST])
    if found["score"] >= _STRONG:
        return ""
    needed = found["crack_times_display"]["offline_slow_hashing_1e4_per_second"]
    return (
        "Beware: this passphrase is easy to guess for somebody who gets hold of the vault. At "
        f"10,000 guesses a second it takes {needed}, by an estimate. Four or five words that have "
        "nothing to do with each other are much harder."
    )
