"""Ports and passwords: chosen once, kept from run to run, moved only when they must be."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backup_service.embedded import datadir, ports
from backup_service.embedded.configuration import Configuration, choose
from backup_service.embedded.errors import PortTakenError


@contextmanager
def occupied(port: int = 0) -> Iterator[int]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield other.getsockname()[1]


def chosen(data_dir: Path, **wishes: str) -> Configuration:
    configuration = choose(data_dir, {"PORT": "0", **wishes})
    datadir.write_settings(data_dir, configuration.settings())
    return configuration


def test_a_second_run_keeps_what_addresses_contain(tmp_path: Path) -> None:
    first = chosen(tmp_path)
    again = chosen(tmp_path, PORT=str(first.port))
    assert again == first
    moved = chosen(tmp_path)  # another port for the site does not move the gateway
    assert (moved.gateway_port, moved.gateway_moved_from) == (first.gateway_port, None)


def test_the_gateway_is_next_to_the_site_where_it_can(tmp_path: Path) -> None:
    for _ in range(20):
        port = ports.any_port()
        if ports.is_free(port + 1):
            break
    assert chosen(tmp_path, PORT=str(port)).gateway_port == port + 1


def test_a_gateway_whose_port_is_taken_moves_and_says_so(tmp_path: Path) -> None:
    first = chosen(tmp_path)
    with occupied(first.gateway_port):
        moved = chosen(tmp_path, PORT=str(first.port))
    assert moved.gateway_moved_from == first.gateway_port
    assert moved.gateway_port not in (first.gateway_port, first.port)


def test_a_site_on_any_port_keeps_it_and_says_when_it_cannot(tmp_path: Path) -> None:
    first = chosen(tmp_path)
    again = chosen(tmp_path)
    assert (again.port, again.moved_from) == (first.port, None)
    with occupied(first.port):
        moved = chosen(tmp_path)
    assert (moved.port != first.port, moved.moved_from) == (True, first.port)


def test_a_broker_of_before_leaves_the_ports_of_outgoing_connections(tmp_path: Path) -> None:
    first = chosen(tmp_path)
    bad = ports.outgoing()[0] + 7
    url = f"redis://:secret@127.0.0.1:{bad}/0"
    datadir.write_settings(tmp_path, first.settings() | {"NIGHTSAFE_BROKER_URL": url})
    again = chosen(tmp_path)
    assert again.broker_port != bad
    assert (again.broker_password, again.gateway_port) == ("secret", first.gateway_port)


def test_no_two_ports_are_the_same(tmp_path: Path) -> None:
    first = chosen(tmp_path)
    second = chosen(tmp_path, PORT=str(first.gateway_port))
    assert len({second.port, second.gateway_port, second.broker_port}) == 3


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with occupied() as port, pytest.raises(PortTakenError, match=f"Port {port} is taken"):
        choose(tmp_path, {"PORT": str(port)})


@pytest.mark.parametrize("wish", ["eight thousand", "-1", "65536", "80.5", "٣٠٠٠٠٠"])
def test_what_is_no_port_is_refused(tmp_path: Path, wish: str) -> None:
    with pytest.raises(PortTakenError, match="no port number"):
        choose(tmp_path, {"PORT": wish})


def test_children_get_no_secret_and_nothing_that_misleads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    misleading = {
        "DATABASE_URL": "postgres://elsewhere/theirs",
        "NIGHTSAFE_PASSWORD": "a customer's",
        "NIGHTSAFE_ROLE": "gateway",
        "NIGHTSAFE_BROKER_URL": "redis://elsewhere",
        "GUNICORN_CMD_ARGS": "--bind 0.0.0.0:1",
        "CELERY_CONFIG_MODULE": "theirs",
    }
    for name, value in misleading.items():
        monkeypatch.setenv(name, value)
    configuration = chosen(tmp_path)
    environment = configuration.environment("site")
    assert environment["NIGHTSAFE_ROLE"] == "site"
    assert not set(misleading.values()) - {"gateway"} & set(environment.values())
    assert configuration.broker_password not in "".join(environment.values())


def test_what_may_be_set_at_the_start_reaches_every_process(tmp_path: Path) -> None:
    configuration = chosen(tmp_path, NIGHTSAFE_REGIONS="x=/one,y=/two", NIGHTSAFE_ROLE="gateway")
    assert datadir.read_settings(tmp_path)["NIGHTSAFE_REGIONS"] == "x=/one,y=/two"
    assert "NIGHTSAFE_ROLE" not in configuration.settings()


def test_the_site_has_a_name_since_browsers_make_no_passkeys_for_numbers(tmp_path: Path) -> None:
    made = chosen(tmp_path)
    assert made.site_url == f"http://localhost:{made.port}"
    assert made.settings()["NIGHTSAFE_SITE_URL"] == made.site_url
    assert made.gateway_url.startswith("http://127.0.0.1:")  # which vaults' addresses hold


def test_a_site_that_was_known_by_its_number_keeps_its_port(tmp_path: Path) -> None:
    first = chosen(tmp_path)
    older = {**first.settings(), "NIGHTSAFE_SITE_URL": f"http://127.0.0.1:{first.port}"}
    datadir.write_settings(tmp_path, older)
    assert (chosen(tmp_path).port, chosen(tmp_path).moved_from) == (first.port, None)
