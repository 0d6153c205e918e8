"""Directories or stores: chosen at the first start, and kept."""

from pathlib import Path

import pytest

from backup_service.embedded import datadir, regions, stores
from backup_service.embedded.configuration import Configuration, choose
from backup_service.embedded.errors import LaunchError
from tests.support.stores.seaweedfs import require_weed
from tests.unit.backup_service.embedded.test_configuration import occupied


def chosen(data_dir: Path, **wishes: str) -> Configuration:
    configuration = choose(data_dir, {"PORT": "0", **wishes})
    datadir.write_settings(data_dir, configuration.settings())
    return configuration


def test_without_a_word_there_are_two_directories(tmp_path: Path) -> None:
    configuration = chosen(tmp_path)
    assert configuration.stores == {}
    text = regions.describe(tmp_path, configuration.settings())
    assert f'NIGHTSAFE_REGIONS="a={tmp_path}/regions/a,b=/other/drive/b"' in text


def test_stores_keep_ports_and_keys_without_being_asked_for_again(tmp_path: Path) -> None:
    require_weed()
    first = chosen(tmp_path, REGIONS="s3")
    assert list(first.stores) == ["a", "b"]
    again = chosen(tmp_path)
    assert again.stores == first.stores
    assert regions.running_stores(tmp_path, again.settings()) == dict(first.stores)
    taken = [port for store in first.stores.values() for port in store.ports]
    taken += [first.port, first.gateway_port, first.broker_port]
    assert len(set(taken)) == len(taken)


def test_a_store_whose_port_is_taken_moves_with_its_keys(tmp_path: Path) -> None:
    require_weed()
    first = chosen(tmp_path, REGIONS="s3").stores["a"]
    with occupied(first.port):
        moved = chosen(tmp_path).stores["a"]
    assert moved.base != first.base
    assert moved == first.at(moved.base)


def test_a_used_data_directory_keeps_its_kind(tmp_path: Path) -> None:
    require_weed()
    for name, first, second in (("x", "", "s3"), ("y", "s3", "directories")):
        folder = tmp_path / name
        folder.mkdir()
        chosen(folder, REGIONS=first)
        (folder / "nightsafe.sqlite3").touch()
        with pytest.raises(LaunchError, match="keeps its regions in"):
            chosen(folder, REGIONS=second)


def test_two_wishes_at_once_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="exclude each other"):
        chosen(tmp_path, REGIONS="s3", NIGHTSAFE_REGIONS="a=/x")
    with pytest.raises(LaunchError, match="not known"):
        chosen(tmp_path, REGIONS="tape")


def test_options_of_regions_reach_every_process(tmp_path: Path) -> None:
    wishes = {"NIGHTSAFE_REGIONS": "a=s3+https://x/y", "NIGHTSAFE_REGION_A_ACCESS_KEY": "who"}
    assert wishes.items() <= chosen(tmp_path, **wishes).settings().items()


def test_secrets_of_stores_are_for_their_owner_and_in_no_command_line(tmp_path: Path) -> None:
    require_weed()
    store = stores.draw(tmp_path / "store", 20_000)
    stores.write_settings(store)
    settings = store.folder / "s3.json"
    assert store.secret_key in settings.read_text()
    assert settings.stat().st_mode & 0o077 == 0
    assert store.secret_key not in "".join(stores.argv(store)) + repr(store)
    assert all("127.0.0.1" in one for one in stores.argv(store) if one.startswith("-ip"))
