from collections.abc import Callable

from nightsafe.fs.status import StatEntry
from nightsafe.packer.pack_builder import PackBuilder

class Gatherer:
    """Stores small files. One instance for each thread."""

    def __init__(
        self,
        room: memoryview,
        claim: Callable[[bytes], bool],
        put: Callable[..., int | None],
        compress: Callable[[memoryview], bytes] | None,
        decompress: Callable[[memoryview], bytes],
        refuse: Callable[[], int],
        stamp_of: Callable[[int], tuple[str, str]],
        owner_of: Callable[[int, int, int], tuple[str, str]],
        has_lanes: bool,
    ) -> None: ...
    def gather(
        self,
        seen: list[StatEntry],
        start: int,
        packs: list[PackBuilder],
        full: int,
        most: int,
        done: list[tuple[bytes, str, int]],
        /,
    ) -> tuple[int, bytes, int, int]: ...
