"""A two-way channel between this process and a worker: whole messages over a pair of sockets.

A message is its length and a value, written by a codec. When the process at one end dies, the
other end sees the end of the stream.
"""

import marshal
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

_LENGTH = struct.Struct("<I")
_SOCKET_BUFFER = 1 << 20


class Codec(NamedTuple):
    """How values become bytes, and bytes values. The bytes come from a process of our own."""

    dumps: Callable[[Any], bytes]
    loads: Callable[[Any], Any]


def _dump_object(value: object) -> bytes:
    import pickle  # most backups need none of it

    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _load_object(data: bytes) -> object:
    import pickle

    return pickle.loads(data)  # noqa: S301, from our own process


PLAIN_VALUES = Codec(marshal.dumps, marshal.loads)
"""Numbers, bytes, text, and tuples and lists of them; several times as fast as OBJECTS."""
OBJECTS = Codec(_dump_object, _load_object)
"""Anything that pickle takes."""


class Channel:
    """One end. Both ends must use the same codec; one thread at a time sends, and one receives."""

    def __init__(self, end: socket.socket, codec: Codec) -> None:
        self._socket = end
        self._codec = codec

    def fileno(self) -> int:
        """The socket's file descriptor, for a selector."""
        return self._socket.fileno()

    def send(self, value: object) -> None:
        """Send one value; OSError if the other end is gone."""
        data = self._codec.dumps(value)
        self._socket.sendall(_LENGTH.pack(len(data)))
        self._socket.sendall(data)

    def receive(self) -> Any:
        """Wait for the next value; EOFError or OSError if the other end is gone."""
        length = _LENGTH.unpack(self._receive_exactly(_LENGTH.size))[0]
        return self._codec.loads(self._receive_exactly(length))

    def close(self) -> None:
        """Close this end; the other one sees the end of the stream."""
        self._socket.close()

    def _receive_exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view, received = memoryview(data), 0
        while received < size:
            count = self._socket.recv_into(view[received:])
            if not count:
                raise EOFError
            received += count
        return data


def new_channel(codec: Codec) -> tuple[Channel, Channel]:
    """Two connected ends."""
    ends = socket.socketpair()
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
    return Channel(ends[0], codec), Channel(ends[1], codec)
