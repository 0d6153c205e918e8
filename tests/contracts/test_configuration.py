"""What the environment may say about regions, and what is told when it says nonsense."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from backup_service.embedded.stores import Store
from backup_service.env import BASE_DIR
from storage.models import Region
from storage.stores import checks
from storage.stores.base import RegionUnavailableError
from storage.stores.configuration import (
    ConfigurationError,
    DirectoryRegion,
    S3Region,
    options_of,
    parse,
)
from storage.stores.registry import prepare_new, store_of, sync_rows
from storage.stores.s3.store import S3Store

KEYS = {"ACCESS_KEY": "who", "SECRET_KEY": "hush-hush"}
S3 = "s3+https://store.example:8333/bucket"


def test_a_directory() -> None:
    assert parse("a", "/disk1/a", {}) == DirectoryRegion("a", Path("/disk1/a"))


def test_a_bucket() -> None:
    region = parse("eu-1", S3, KEYS)
    assert isinstance(region, S3Region)
    assert (region.endpoint, region.bucket) == ("https://store.example:8333", "bucket")
    assert region.public_endpoint == region.endpoint
    assert not region.direct
    assert "hush-hush" not in repr(region)


def test_all_options() -> None:
    more = {
        "PUBLIC_URL": "https://public.example/",
        "SIGNING_REGION": "eu-central-1",
        "ADDRESSING": "virtual",
        "DIRECT": "yes",
        "TIMEOUT": "5",
    }
    region = parse("a", "s3+http://10.0.0.1/bucket", KEYS | more)
    assert isinstance(region, S3Region)
    assert region.public_endpoint == "https://public.example"
    assert (region.signing_region, region.addressing) == ("eu-central-1", "virtual")
    assert (region.direct, region.read_timeout, region.connect_timeout) == (True, 5.0, 5.0)


@pytest.mark.parametrize(
    ("alias", "location", "options", "words"),
    [
        ("A!", "/disk", {}, "no name for a region"),
        ("a", "disk1", {}, "neither an absolute path nor"),
        ("a", "", {}, "neither an absolute path nor"),
        ("a", "s3://bucket", KEYS, "neither an absolute path nor"),
        ("a", "https://store.example/bucket", KEYS, "neither an absolute path nor"),
        ("a", "s3+https://store.example/", KEYS, "name of a bucket"),
        ("a", "s3+https://store.example/bucket/more", KEYS, "name of a bucket"),
        ("a", "s3+https://store.example/Bucket", KEYS, "name of a bucket"),
        ("a", "s3+https://store.example/bucket?x=1", KEYS, "name of a bucket"),
        ("a", "s3+https:///bucket", KEYS, "needs a host"),
        ("a", "s3+https://me:hush-hush@store.example/bucket", KEYS, "holds no keys"),
        ("a", "s3+https://store.example:99999/bucket", KEYS, "port"),
        ("a", S3, {}, "NIGHTSAFE_REGION_A_ACCESS_KEY is not set"),
        ("eu-1", S3, {"ACCESS_KEY": "x"}, "NIGHTSAFE_REGION_EU_1_SECRET_KEY is not set"),
        ("a", S3, KEYS | {"TIMEOUT": "soon"}, "number of seconds"),
        ("a", S3, KEYS | {"TIMEOUT": "nan"}, "number of seconds"),
        ("a", S3, KEYS | {"DIRECT": "maybe"}, "yes or no"),
        ("a", S3, KEYS | {"ADDRESSING": "dns"}, "path or virtual"),
        ("a", S3, KEYS | {"PUBLIC_URL": "store.example"}, "PUBLIC_URL must be"),
        ("a", S3, KEYS | {"PUBLIC_URL": "https://store.example/bucket"}, "PUBLIC_URL must be"),
        ("a", S3, KEYS | {"SECRETKEY": "hush-hush"}, "there is no option"),
        ("a", "/disk1", {"ACCESS_KEY": "x"}, "is a directory and takes no"),
    ],
)
def test_nonsense_is_told(alias: str, location: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as told:
        parse(alias, location, options)
    assert "hush-hush" not in str(told.value)


def test_options_go_to_the_longest_name() -> None:
    variables = {"A_ACCESS_KEY": "1", "A_B_ACCESS_KEY": "2", "C_SECRET_KEY": "3"}
    assert options_of({"a": "", "a-b": ""}, variables) == {
        "": {"C_SECRET_KEY": "3"},
        "a": {"ACCESS_KEY": "1"},
        "a-b": {"ACCESS_KEY": "2"},
    }


def test_django_checks_it(settings: Settings) -> None:
    assert checks.regions() == []
    settings.REGIONS = {"a": "/same", "b": "/same", "c": "s3:bucket"}
    settings.REGION_OPTIONS = {"D_ACCESS_KEY": "x"}
    settings.REGION_PLACES = {"e": "Elsewhere"}
    assert [found.id for found in checks.regions()] == [
        "storage.E003",
        "storage.E002",
        "storage.W001",
        "storage.W002",
    ]
    settings.REGIONS = {}
    assert checks.regions()[0].id == "storage.E001"


def check(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSAFE_")}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level=WARNING"],
        env={**kept, "DATA_DIR": str(folder), **variables},
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def test_manage_py_check_stops_a_start(tmp_path: Path) -> None:
    good = {
        "NIGHTSAFE_REGIONS": f"a={S3},b=/disk2/b",
        "NIGHTSAFE_REGION_PLACES": "a=Frankfurt,b=Helsinki",
        "NIGHTSAFE_REGION_A_ACCESS_KEY": "who",
        "NIGHTSAFE_REGION_A_SECRET_KEY": "hush=hush,hush",
    }
    done = check(tmp_path, **good)
    assert done.returncode == 0, done.stderr
    del good["NIGHTSAFE_REGION_A_ACCESS_KEY"]
    done = check(tmp_path, **good)
    assert done.returncode != 0
    assert "NIGHTSAFE_REGION_A_ACCESS_KEY is not set" in done.stderr
    assert "hush" not in done.stderr


@pytest.mark.django_db
def test_nonsense_that_was_not_checked_makes_a_region_unavailable(
    settings: Settings, regions: list[Region]
) -> None:
    settings.REGIONS = {"a": "s3+https://store.example/bucket", "b": settings.REGIONS["b"]}
    with pytest.raises(RegionUnavailableError, match="ACCESS_KEY is not set"):
        store_of(regions[0])


@pytest.mark.django_db
def test_a_region_of_each_kind_is_prepared_and_kept(
    settings: Settings, seaweed: Store, tmp_path: Path
) -> None:
    from accounts.audit import SERVICE
    from tests.contracts.conftest import drop, new_bucket

    settings.REGIONS = {
        "a": str(tmp_path / "a"),
        "b": f"s3+http://127.0.0.1:{seaweed.port}/{new_bucket()}",
    }
    settings.REGION_PLACES = {"b": "Helsinki"}
    settings.REGION_OPTIONS = {
        "B_ACCESS_KEY": seaweed.access_key,
        "B_SECRET_KEY": seaweed.secret_key,
    }
    sync_rows()
    prepared = prepare_new(SERVICE)
    assert [(region.alias, region.place) for region in prepared] == [("a", ""), ("b", "Helsinki")]
    for region in prepared:
        store_of(region).check()
    assert store_of(prepared[1]) is store_of(prepared[1])  # its connections are kept
    assert prepare_new(SERVICE) == []
    store = store_of(prepared[1])
    assert isinstance(store, S3Store)
    drop(store)


def test_one_switch_leaves_our_own_client_of_s3_out(settings: Settings) -> None:
    settings.REGIONS = {"s": "s3+http://127.0.0.1:1/vault"}
    settings.REGION_OPTIONS = {"S_ACCESS_KEY": "x", "S_SECRET_KEY": "y", "S_DIRECT": "yes"}
    region = Region(alias="s", instance="instance-1")
    assert store_of(region).direct_transfers
    settings.S3_GENERAL_CLIENT = True
    store = store_of(region)
    assert isinstance(store, S3Store)
    assert (store.region.general_only, store.direct_transfers) == (True, False)
