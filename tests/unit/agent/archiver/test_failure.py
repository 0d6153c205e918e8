"""What is told of a backup that failed: a word, quickly, and never more than that."""

import threading
import time
from pathlib import Path

import pytest
from nightsafe import errors
from nightsafe.archiver import failure
from nightsafe.archiver.failure import report_failure, word_for
from nightsafe.backend.local import LocalBackend


class Told(LocalBackend):
    """A folder that remembers what it was told."""

    words: list[str]
    gate: threading.Event | None = None

    def fresh(self) -> "Told":
        return self

    def report_failure(self, word: str) -> None:
        if self.gate is not None:
            self.gate.wait(60)
        self.words.append(word)
        raise errors.UnreachableError("It went away at this very moment.")


@pytest.fixture
def storage(tmp_path: Path) -> Told:
    made = Told(str(tmp_path))
    made.words = []
    return made


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (errors.SourceError("/home/anna/secret is not there."), "local"),
        (OSError("the disk"), "local"),
        (MemoryError(), "local"),
        (errors.DamagedError("x"), "damaged"),
        (errors.LockedError("x"), "locked"),
        (errors.LockLostError("x"), "locked"),
        (errors.QuotaError("the service knows"), ""),
        (errors.StaleIndexError("the service knows"), ""),
        (errors.UnreachableError("nobody hears it"), ""),
    ],
)
def test_the_word_for_each_error(storage: Told, error: BaseException, word: str) -> None:
    assert word_for(error) == word
    report_failure(storage, error)
    assert storage.words == ([word] if word else [])


def test_a_service_that_does_not_answer_is_not_waited_for(
    storage: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure, "PATIENCE", 0.05)
    storage.gate = threading.Event()
    begun = time.monotonic()
    report_failure(storage, KeyboardInterrupt())
    assert time.monotonic() - begun < 30
    assert storage.words == []
    storage.gate.set()


def test_other_storages_take_none(tmp_path: Path) -> None:
    report_failure(LocalBackend(str(tmp_path)), KeyboardInterrupt())
