"""Waits for the stores and makes them fsync, in a process that can be stopped."""

import os
import sys
from pathlib import Path

from backup_service.embedded import datadir, stores
from backup_service.embedded.errors import LaunchError
from backup_service.embedded.regions import running_stores


def main() -> int:
    """Settle all stores of the data directory; return the exit status."""
    data_dir = Path(os.environ["DATA_DIR"])
    try:
        for store in running_stores(data_dir, datadir.read_settings(data_dir)).values():
            stores.settle(store)
    except LaunchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
