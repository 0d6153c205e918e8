from collections.abc import Sequence

from typing_extensions import Buffer

def digests(texts: Sequence[Buffer]) -> list[bytes]: ...
