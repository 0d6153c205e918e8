from collections.abc import Sequence

from typing_extensions import Buffer

class Running:
    def hexdigest(self) -> str: ...

def update_all(digests: Sequence[Running], pieces: Sequence[Buffer], /) -> None: ...
