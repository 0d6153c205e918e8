"""The embedded programs, started as the launcher starts them."""

import subprocess
import time
from pathlib import Path

import redis

from backup_service.embedded import programs
from backup_service.embedded.configuration import choose


def test_the_broker_writes_where_it_belongs_wherever_it_is_started(tmp_path: Path) -> None:
    data_dir = tmp_path / 'my "data" # größe'
    elsewhere = tmp_path / "elsewhere"
    for folder in (data_dir, elsewhere):
        folder.mkdir()
    configuration = choose(data_dir, {"PORT": "0"})
    argv = programs.broker(configuration).argv
    with subprocess.Popen(argv, cwd=elsewhere, stdout=subprocess.DEVNULL) as broker:
        try:
            with redis.Redis.from_url(configuration.settings()["NIGHTSAFE_BROKER_URL"]) as client:
                wait_until_it_answers(client, broker)
                assert client.set("nudge", "1")
                assert client.config_get("dir")["dir"] == str(data_dir / "valkey")
        finally:
            broker.terminate()
    assert (data_dir / "valkey" / "appendonlydir").is_dir()
    assert list(elsewhere.iterdir()) == []


def wait_until_it_answers(client: redis.Redis, broker: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while broker.poll() is None:
        try:
            assert client.ping()
            return
        except redis.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    raise AssertionError(f"the broker ended with {broker.returncode}")
