"""Looking for garbage less often in processes that live long and hold a lot."""

import gc

THRESHOLDS = (20_000, 20, 50)


def keep_what_is_loaded() -> None:
    """Call it when a process is ready: what is loaded by then stays, and is not scanned again.

    With Python's own thresholds the gateway spent more on that than on hashing uploads, and one
    page of the site in twenty took twice its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
