from typing_extensions import Buffer

class Cutter:
    def __init__(
        self,
        table: Buffer,
        min_size: int,
        average_size: int,
        max_size: int,
        early_mask: int,
        late_mask: int,
    ) -> None: ...
    def ends(self, window: Buffer, at_end: bool) -> list[int]: ...
