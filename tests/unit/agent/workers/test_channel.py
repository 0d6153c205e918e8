"""What two processes say to each other arrives whole, or the end is noticed."""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass

import pytest
from nightsafe.workers.channel import OBJECTS, PLAIN_VALUES, Channel, Codec, new_channel


@dataclass
class Thing:
    name: str


@pytest.mark.parametrize("codec", [PLAIN_VALUES, OBJECTS])
def test_values_arrive_in_order(codec: Codec) -> None:
    ours, theirs = new_channel(codec)
    values = [["one", b"two", (3, None)], [], b"", "ü" * 100_000]
    for value in values:
        ours.send(value)
    assert [theirs.receive() for _ in values] == values
    theirs.send(1)
    assert ours.receive() == 1
    ours.close()
    theirs.close()


def test_more_than_a_socket_holds() -> None:
    ours, theirs = new_channel(PLAIN_VALUES)
    data = bytes(range(256)) * 100_000
    sender = threading.Thread(target=ours.send, args=(data,))
    sender.start()
    assert theirs.receive() == data
    sender.join()
    ours.close()
    theirs.close()


def test_objects() -> None:
    ours, theirs = new_channel(OBJECTS)
    ours.send(Thing("one"))
    assert theirs.receive() == Thing("one")
    ours.close()
    theirs.close()


def test_what_a_codec_does_not_take_leaves_the_channel_usable() -> None:
    ours, theirs = new_channel(PLAIN_VALUES)
    with pytest.raises(ValueError, match="unmarshallable"):
        ours.send(Thing("one"))
    ours.send(2)
    assert theirs.receive() == 2
    ours.close()
    theirs.close()


@pytest.mark.parametrize("sent", [b"", b"\x05", struct.pack("<I", 100) + b"half"])
def test_the_other_end_is_gone(sent: bytes) -> None:
    end, other = socket.socketpair()
    channel = Channel(end, PLAIN_VALUES)
    other.sendall(sent)
    other.close()
    with pytest.raises(EOFError):
        channel.receive()
    with contextlib.suppress(OSError):
        channel.send(1)  # on some systems the first is taken
    with pytest.raises(OSError, match=r"pipe|reset"):
        channel.send(1)
    channel.close()
