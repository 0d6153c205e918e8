"""A kept passphrase is for its own repository alone, and only while nobody else may read it."""

import json
import os
import stat
from pathlib import Path

import pytest
from nightsafe.errors import SettingsError
from nightsafe.settings.kept_passphrase import (
    forget_passphrase,
    keep_passphrase,
    kept_passphrase,
    kept_path,
)
from nightsafe.settings.login import NOWHERE
from nightsafe.settings.passphrase import PassphraseSource, find_passphrase

HERE = "https://vaults.example/restic/v1/"
ODD = 'späte Grüße \udcff, "it\'s" \\'


def test_it_is_kept_for_its_repository() -> None:
    assert kept_passphrase(HERE) is None
    path = keep_passphrase(ODD, HERE)
    assert path == kept_path()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert kept_passphrase(HERE) == ODD
    assert kept_passphrase(HERE.replace("v1", "v2")) is None
    keep_passphrase("another", HERE)
    assert kept_passphrase(HERE) == "another"
    forget_passphrase()
    forget_passphrase()
    assert kept_passphrase(HERE) is None


def test_what_is_given_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_passphrase("kept", HERE)
    found = find_passphrase(os.environ, PassphraseSource(location=HERE))
    assert found.text == "kept"
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", "given")
    assert find_passphrase(os.environ, PassphraseSource(location=HERE)).text == "given"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_nothing_is_taken_that_others_may_read(mode: int) -> None:
    path = keep_passphrase("kept", HERE)
    os.chmod(path, mode)
    with pytest.raises(SettingsError, match=r"Others may read .*chmod 600"):
        kept_passphrase(HERE)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"repository": "x"}', "\0"])
def test_what_cannot_be_read_is_said(text: str) -> None:
    path = Path(keep_passphrase("kept", HERE))
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"cannot be read.*nightsafe setup"):
        kept_passphrase(HERE)


@pytest.mark.parametrize("value", [1, "", None, ["x"]])
def test_what_is_no_passphrase_is_none(value: object) -> None:
    path = Path(keep_passphrase("kept", HERE))
    path.write_text(json.dumps({"repository": HERE, "passphrase": value}))
    assert kept_passphrase(HERE) is None


def test_somebody_without_a_home() -> None:
    nowhere = {"NIGHTSAFE_CONFIG_DIR": os.path.join(NOWHERE, "config")}
    assert kept_passphrase(HERE, nowhere) is None
    with pytest.raises(SettingsError, match="no home folder"):
        keep_passphrase("kept", HERE, nowhere)
