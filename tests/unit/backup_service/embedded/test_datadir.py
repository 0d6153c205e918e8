"""The data directory: claimed once, ours only, its settings as Django reads them."""

import os
import subprocess
import sys
from pathlib import Path

import environ
import pytest

from backup_service.embedded import datadir
from backup_service.embedded.errors import AlreadyRunningError, DataDirectoryError
from backup_service.env import BASE_DIR
from tests.support.compose import clean


def test_a_new_one_is_for_its_owner_only(tmp_path: Path) -> None:
    os.close(datadir.claim(tmp_path / "new" / "data"))
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letters").mkdir()
    with pytest.raises(DataDirectoryError, match="not a data directory of Nightsafe"):
        datadir.claim(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]


def test_one_that_manage_py_began_is_ours(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("x")
    os.close(datadir.claim(tmp_path))


def test_what_manage_py_makes_before_the_first_start_is_for_its_owner_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    code = "from django.core.management import call_command; "
    code += "call_command('migrate', 'contenttypes', verbosity=0); "
    code += "call_command('sendtestemail', 'anna@example.org')"
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        env={**clean(), "DATA_DIR": str(data_dir)},
        cwd=BASE_DIR,
        umask=0o022,
        check=True,
    )
    made = {path.name: path.stat().st_mode & 0o077 for path in [data_dir, *data_dir.rglob("*")]}
    assert {"data", "secret-key", "nightsafe.sqlite3", "mail"} <= set(made)
    assert not [name for name, open_to in made.items() if open_to]


def test_what_was_open_to_others_is_closed_at_the_start(tmp_path: Path) -> None:
    for name in ("secret-key", "nightsafe.sqlite3"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o664)
    (tmp_path / "regions").symlink_to("/etc/hostname")
    before = os.stat("/etc/hostname").st_mode
    os.close(datadir.claim(tmp_path))
    found = [path for path in tmp_path.iterdir() if not path.is_symlink()]
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    assert os.stat("/etc/hostname").st_mode == before


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DataDirectoryError, match="cannot be used"):
        datadir.claim(tmp_path / "data")


def test_a_second_claim_hears_where_the_first_is(tmp_path: Path) -> None:
    first = datadir.claim(tmp_path)
    datadir.write_settings(tmp_path, {"NIGHTSAFE_SITE_URL": "http://127.0.0.1:8123"})
    with pytest.raises(AlreadyRunningError) as caught:
        datadir.claim(tmp_path)
    assert "http://127.0.0.1:8123" in str(caught.value)
    assert str(os.getpid()) in str(caught.value)
    os.close(first)
    os.close(datadir.claim(tmp_path))


VALUES = ["plain", "a=/x y/z,b=/w", "with # and $HOME and \\n", 'quo"ted', "", "größe"]


@pytest.mark.parametrize("value", VALUES)
def test_settings_come_back_the_same_to_us_and_to_django(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.delenv("NIGHTSAFE_TRIED", raising=False)
    datadir.write_settings(tmp_path, {"NIGHTSAFE_TRIED": value})
    assert datadir.read_settings(tmp_path) == {"NIGHTSAFE_TRIED": value}
    environ.Env.read_env(tmp_path / "service.env")
    assert os.environ["NIGHTSAFE_TRIED"] == value
    monkeypatch.delenv("NIGHTSAFE_TRIED")


@pytest.mark.parametrize("value", ["it's", "two\nlines"])
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(DataDirectoryError, match="NIGHTSAFE_TRIED"):
        datadir.write_settings(tmp_path, {"NIGHTSAFE_TRIED": value})


def test_settings_are_for_their_owner_only(tmp_path: Path) -> None:
    datadir.write_settings(tmp_path, {"A": "b"})
    assert (tmp_path / "service.env").stat().st_mode & 0o777 == 0o600


def test_a_big_log_is_put_aside_and_a_small_one_goes_on(tmp_path: Path) -> None:
    for content in (b"small\n", b"x" * (datadir.LOG_LIMIT + 1)):
        log = datadir.open_log(tmp_path, "site")
        os.write(log, content)
        os.close(log)
    assert datadir.log_path(tmp_path, "site").read_bytes().startswith(b"small\nx")
    os.close(datadir.open_log(tmp_path, "site"))
    assert datadir.log_path(tmp_path, "site").stat().st_size == 0
    assert (tmp_path / "logs" / "site.log.1").stat().st_size > datadir.LOG_LIMIT


def test_the_end_of_a_log(tmp_path: Path) -> None:
    assert datadir.last_lines(tmp_path, "site") == ""
    log = datadir.open_log(tmp_path, "site")
    os.write(log, b"".join(b"line %d\n" % number for number in range(3000)))
    os.close(log)
    assert datadir.last_lines(tmp_path, "site", count=2) == "    line 2998\n    line 2999"
