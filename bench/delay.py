"""A network far away: a proxy that hands everything on, later."""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

_PIECE = 1 << 16
_END = b""


class DelayingProxy:
    """Forwards connections to a port of this computer, with so many seconds of round trip.

    Half of them on the way there, half on the way back, and a whole one before a connection
    carries anything, as for its handshake. Bandwidth is not bounded.
    """

    def __init__(self, target: int, round_trip: float) -> None:
        self.port = 0
        self._target = target
        self._seconds = round_trip
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        server = self._loop.run_until_complete(start)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._seconds)
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            there = self._carry(reader, far_writer)
            back = self._carry(far_reader, writer)
            await asyncio.gather(there, back, return_exceptions=True)
        writer.close()

    async def _carry(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        """Hand on what comes, each piece so long after it came."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = self._loop.create_task(self._deliver(pieces, to))
        piece = b"?"
        while piece:
            try:
                piece = await source.read(_PIECE)
            except OSError:
                piece = _END
            pieces.put_nowait((self._loop.time() + self._seconds / 2, piece))
        await delivery

    async def _deliver(
        self, pieces: asyncio.Queue[tuple[float, bytes]], to: asyncio.StreamWriter
    ) -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            if piece == _END:
                to.close()
                return
            to.write(piece)
            await to.drain()
