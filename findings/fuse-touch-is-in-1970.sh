#!/usr/bin/env bash
# mfusepy: whoever says "now" for a file's times says one second after the beginning of 1970.
#
# A program that sets a file's times to the present, as `touch` does, passes UTIME_NOW in place of
# nanoseconds, and libfuse hands that on to the file system. mfusepy adds it up as if it were a
# number, (1 << 30) - 1, so that `utimens` is given 1.073741823 seconds since 1970 and not None, nor
# the present. A file system that hands the times on to os.utime puts every file that is touched into
# 1970; UTIME_OMIT, for times that are to stay, comes as one nanosecond less.
#
# Seen on 29 November 2026 with mfusepy 3.1.1, libfuse 3.14.0, Linux 6.18:
#   touch file                   utimens is given (1.073741823, 1.073741823)
#   touch -m file                utimens is given (1.073741822, 1.073741823)
#   touch -d @86400.5 file       utimens is given (86400.5, 86400.5)
#
# Wants /dev/fuse and fusermount3.
set -euo pipefail
scratch=$(mktemp -d)
trap 'fusermount3 -u -z "$scratch/mount" 2>/dev/null || true; rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check mfusepy==3.1.1
mkdir "$scratch/mount"
cat >"$scratch/one_file.py" <<'PYTHON'
import errno
import stat
import sys

import mfusepy


class OneFile(mfusepy.Operations):
    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        if path == "/file":
            return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1}
        raise mfusepy.FuseOSError(errno.ENOENT)

    def readdir(self, path, fh):
        return [".", "..", "file"]

    def open(self, path, flags):
        return 0

    def utimens(self, path, times=None):
        with open(sys.argv[2], "a") as told:
            print(times, file=told)
        return 0


mfusepy.FUSE(OneFile(), sys.argv[1], foreground=True)
PYTHON
"$scratch/venv/bin/python" "$scratch/one_file.py" "$scratch/mount" "$scratch/told" 2>/dev/null &
for _ in $(seq 100); do mountpoint -q "$scratch/mount" && break; sleep 0.1; done
touch "$scratch/mount/file"
touch -m "$scratch/mount/file"
touch -d @86400.5 "$scratch/mount/file"
cat "$scratch/told"
fusermount3 -u "$scratch/mount"
wait
diff "$scratch/told" - <<'SEEN' || { echo "This is not what was seen." >&2; exit 1; }
(1.073741823, 1.073741823)
(1.073741822, 1.073741823)
(86400.5, 86400.5)
SEEN
echo "As seen."
