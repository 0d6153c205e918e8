from typing_extensions import Buffer

def place(
    folder: int,
    temporary: bytes,
    name: bytes,
    data: Buffer,
    mode: int,
    uid: int,
    gid: int,
    atime: int,
    mtime: int,
    /,
) -> bool: ...
