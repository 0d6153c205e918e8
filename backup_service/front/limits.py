"""How much, and how long, a client may take before it has a thread, and after."""

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds. They hold for each connection by itself."""

    body_bytes: int | None  # whole bodies up to this are waited for; None: they are left alone
    kept_bytes: int  # of an answer that wait for their client without a thread
    head_bytes: int = 32 * KIB
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    stall_seconds: float = 30.0  # without a byte taken of an answer, or sent of an upload
    patient_seconds: float = 30.0  # of waiting, after which an answer's rate is judged
    least_rate: int = 4096  # bytes a second, of an answer to a client
    goodbye_seconds: float = 2.0  # for a client to end a connection whose answer it has
    discard_seconds: float = 5.0  # for the rest of a body that was refused
    drain_bytes: int = 256 * KIB


# Forms are small, and pages with everything on them as well.
SITE = Limits(body_bytes=1024 * KIB, kept_bytes=512 * KIB)
GATEWAY = Limits(body_bytes=None, kept_bytes=64 * KIB)
