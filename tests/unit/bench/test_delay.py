"""The network that benchmarks pretend: all that is sent arrives, and later."""

import socket
import threading
import time

from bench.delay import DelayingProxy

ROUND_TRIP = 0.05


def echo(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=[client], daemon=True).start()


def answer(client: socket.socket) -> None:
    with client:
        while piece := client.recv(1 << 16):
            client.sendall(piece)


def test_everything_arrives_and_takes_its_time() -> None:
    data = bytes(range(256)) * 4000
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        DelayingProxy(listener.getsockname()[1], ROUND_TRIP) as proxy,
    ):
        threading.Thread(target=echo, args=[listener], daemon=True).start()
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", proxy.port)) as near:
            for number in range(3):
                near.sendall(b"%d" % number)
                assert near.recv(1) == b"%d" % number
            assert time.monotonic() - begun >= 4 * ROUND_TRIP  # three, and one to connect
            sender = threading.Thread(target=near.sendall, args=[data])
            sender.start()
            got = b""
            while len(got) < len(data):
                got += near.recv(1 << 16)
            sender.join()
            near.shutdown(socket.SHUT_WR)
            assert got == data
            assert near.recv(1) == b""


def test_nobody_behind_it_is_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        DelayingProxy(port, 0.0) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as near,
    ):
        assert near.recv(1) == b""
