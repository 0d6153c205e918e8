"""The embedded programs, started as the launcher starts them."""

import subprocess
import time
from pathlib import Path

import redis

from backup_service.embedded.configuration import choose
from backup_service.embedded.processes import programs


def test_the_broker_belongs_to_the_data_directory_and_keeps_nothing(tmp_path: Path) -> None:
    """Wherever it is started, on a full disk too, and after versions whose log was cut off."""
    data_dir = tmp_path / 'my "data" # größe'
    elsewhere = tmp_path / "elsewhere"
    log = data_dir / "valkey" / "appendonlydir"
    for folder in (log, elsewhere):
        folder.mkdir(parents=True)
    (log / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (log / "appendonly.aof.1.incr.aof").write_bytes(b"*1\r\n$-7\r\nno command\r\n" * 9)
    configuration = choose(data_dir, {"PORT": "0"})
    argv = programs.broker(configuration).argv
    before = {path for path in data_dir.rglob("*") if path.name != "valkey.conf"}
    with subprocess.Popen(argv, cwd=elsewhere, stdout=subprocess.DEVNULL) as broker:
        try:
            with redis.Redis.from_url(configuration.settings()["NIGHTSAFE_BROKER_URL"]) as client:
                wait_until_it_answers(client, broker)
                assert client.set("nudge", "1")
                assert client.config_get("dir")["dir"] == str(data_dir / "valkey")
        finally:
            broker.terminate()
    after = {path for path in data_dir.rglob("*") if path.name != "valkey.conf"}
    assert after == before
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
