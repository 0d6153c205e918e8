"""The words of a recovery kit: twelve of the list of BIP 39, which carry 128 bits and a check.

The vault knows them as one passphrase more, in small letters with one space between the words, so
that stock restic takes it too.
"""

import difflib
import functools
import re
from typing import TYPE_CHECKING

from nightsafe.errors import SettingsError

if TYPE_CHECKING:
    from mnemonic import Mnemonic

WORDS = 12
_BITS = 128
_PREFIX = 4
"""So many letters tell each word of the list from all others."""
_WORD = re.compile(r"[^\W\d_]+")
_LONGEST = 1000


def new_words() -> str:
    """Return new words, by the system's random numbers."""
    return _list().generate(_BITS)


def read_words(typed: str) -> str:
    """Return the words that somebody typed, with whatever capitals, numbers and marks.

    Of each word the first four letters are enough. SettingsError names the word that is wrong.
    """
    words = split(typed)
    if len(words) != WORDS:
        raise SettingsError(
            f"A recovery kit has {WORDS} words, and these are {len(words)}. Type them in the order "
            "of their numbers, with a space between."
        )
    found = " ".join(_listed(word, number) for number, word in enumerate(words, 1))
    if not _list().check(found):
        raise SettingsError(
            "Each of these words is in the list, but together they are those of no kit: one was "
            "misread, or two have changed places. Compare them with the kit, one by one."
        )
    return found


def split(typed: str) -> list[str]:
    """Return what may be a kit's words, in small letters."""
    return _WORD.findall(typed[:_LONGEST].lower())


def hint(typed: str) -> str:
    """Return what is wrong with a passphrase that somebody may have meant to be a kit's words.

    Empty if they did not: there are twelve, and most are of the list.
    """
    words = split(typed)
    if len(words) != WORDS or sum(_find(word) is not None for word in words) <= WORDS // 2:
        return ""
    try:
        read_words(typed)
    except SettingsError as error:
        return str(error)
    return ""


def _listed(word: str, number: int) -> str:
    found = _find(word)
    if found is not None:
        return found
    near = difflib.get_close_matches(word, _list().wordlist, n=3, cutoff=0.6)
    advice = f" Is it {_either(near)}?" if near else " Compare it with the kit."
    raise SettingsError(
        f"Word {number} of the recovery words, {word!a}, is none of the list.{advice}"
    )


def _find(word: str) -> str | None:
    known = _list().wordlist
    if word in known:
        return word
    is_enough = len(word) >= _PREFIX
    return next((one for one in known if one.startswith(word)), None) if is_enough else None


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


@functools.cache
def _list() -> "Mnemonic":
    from mnemonic import Mnemonic

    return Mnemonic("english")
