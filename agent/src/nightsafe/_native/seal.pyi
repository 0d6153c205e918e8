from collections.abc import Callable

from typing_extensions import Buffer

from nightsafe.crypto.seal_key import SealKey

class Sealer:
    def __init__(self, key: SealKey) -> None: ...
    def open(self, sealed: Buffer, /) -> bytes: ...
    def peek(self, sealed: Buffer, /) -> memoryview: ...
    def seal(self, plain: Buffer, /) -> bytes: ...
    def seal_into(self, target: Buffer, start: int, plain: Buffer, /) -> int: ...
    def put(
        self,
        target: Buffer,
        start: int,
        text: Buffer,
        plain: Buffer,
        decompress: Callable[[memoryview], bytes] | None,
        /,
    ) -> int | None: ...
