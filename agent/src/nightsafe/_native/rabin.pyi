from typing_extensions import Buffer

class Cutter:
    def __init__(
        self, fold: Buffer, leave: Buffer, min_size: int, max_size: int, mask: int
    ) -> None: ...
    def ends(self, window: Buffer, at_end: bool, /) -> list[int]: ...
