"""What `import nightsafe` offers, and what it costs."""

import subprocess
import sys
from pathlib import Path

import nightsafe
import pytest
from nightsafe.archiver.backup import backup

from tests.support import repositories
from tests.unit.agent.conftest import PASSPHRASE


def test_a_backup_and_a_restore_by_the_public_names_alone(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"content")
    storage = nightsafe.LocalBackend(str(tmp_path / "repository"))
    repositories.make(storage, PASSPHRASE)  # a key that is quick to derive
    repository = nightsafe.Repository.open(storage, PASSPHRASE)
    options = nightsafe.BackupOptions(tags=("daily",), workers=0)
    report = nightsafe.backup(repository, [bytes(tmp_path / "source")], options)
    assert report.is_complete
    snapshot = repository.load_snapshots().sound[-1]
    assert snapshot.tags == ("daily",)
    target = tmp_path / "target"
    done = nightsafe.restore(repository, snapshot, bytes(target))
    assert done.is_complete
    restored = Path(f"{target}{tmp_path}") / "source" / "file"
    assert restored.read_bytes() == b"content"
    assert not nightsafe.check(repository).errors
    with pytest.raises(nightsafe.NightsafeError):
        nightsafe.Repository.open(storage, "another")


def test_every_public_name_is_there() -> None:
    assert {name: getattr(nightsafe, name) for name in nightsafe.__all__}
    assert nightsafe.backup is backup
    assert set(nightsafe.__all__) <= set(dir(nightsafe))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        nightsafe.nonsense  # noqa: B018


def test_to_import_it_loads_nothing_else() -> None:
    loaded = "[name for name in sys.modules if name.startswith('nightsafe.')]"
    code = f"import sys, nightsafe; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['nightsafe.version']\n"


def test_to_show_the_version_loads_no_command() -> None:
    loaded = "[name for name in sys.modules if name.startswith('nightsafe.cli.commands')]"
    code = f"import atexit, sys; atexit.register(lambda: print({loaded}))"
    command = [sys.executable, "-c", f"{code}; from nightsafe import cli; cli.main(['--version'])"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"nightsafe {nightsafe.__version__}\n[]\n"


def test_it_says_that_it_is_typed() -> None:
    assert (Path(nightsafe.__file__).parent / "py.typed").exists()


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "nightsafe"]
    said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"nightsafe {nightsafe.__version__}\n"
    wrong = subprocess.run([*command, "nonsense"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("usage: nightsafe ")
