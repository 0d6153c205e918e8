"""Writes sections as a ZIP while they are read: each as JSON and as a table for spreadsheets."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from accounts.website.activity_csv import harmless
from backup_service import clock
from storage.leaving.export.sections import MOST_ROWS, Row, Section

PIECE = 64 * 1024  # bytes that are gathered before they are sent
README = """What is kept of you, on {day}

Each list is here twice: .json for programs, .csv for spreadsheets. Times are UTC.
you/ is about you, and here if you are who downloaded this on the website; the other folders are
about the account “{account}”, and are here if you own it.
Passwords, keys and secrets are not here: we have hashes of them only.

Your files are not in here. They are encrypted on your computer, and we cannot read them. To fetch
them, use the program that made the backups, with your passphrase:

    nightsafe restore latest --target FOLDER
    restic -r rest:ADDRESS-OF-THE-VAULT restore latest --target FOLDER

The help page {site}/docs/restore/ shows every step. After an account was closed you have 30 days.

{counts}
"""


class _Sink(io.RawIOBase):
    """A file that cannot be gone back in, and hands out what was written to it."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    def take(self, least: int = 0) -> bytes:
        """Return what was written since, or nothing while that is less than so many bytes."""
        if len(self._held) < least:
            return b""
        taken = bytes(self._held)
        self._held.clear()
        return taken


def stream(sections: Sequence[Section], *, account: str, site: str) -> Iterator[bytes]:
    """Yield the archive. Nothing of it is held but the piece that is being written."""
    sink, now, counts = _Sink(), clock.now(), []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for section in sections:
            count = 0
            for kind, written in (("json", _json), ("csv", _csv)):
                entry = _entry(f"{section.name}.{kind}", now)
                with archive.open(entry, "w", force_zip64=True) as file:
                    for number, line in written(section.rows()):
                        count = number
                        file.write(line)
                        if piece := sink.take(PIECE):
                            yield piece
            counts.append(_counted(section, count))
        about = {"day": f"{now:%-d %B %Y}", "account": account, "site": site}
        text = README.format(**about, counts="\n".join(counts))
        archive.writestr(_entry("README.txt", now), text)
    yield sink.take()


def _json(rows: Iterator[Row]) -> Iterator[tuple[int, bytes]]:
    count = 0
    for count, row in enumerate(rows, 1):
        text = json.dumps(row, default=_plain, ensure_ascii=False)
        yield count, ("[\n" if count == 1 else ",\n").encode() + text.encode("utf-8", "replace")
    yield count, b"\n]\n" if count else b"[]\n"


def _csv(rows: Iterator[Row]) -> Iterator[tuple[int, bytes]]:
    count = 0
    for count, row in enumerate(rows, 1):
        if count == 1:
            yield 1, b"\xef\xbb\xbf" + _line(list(row))
        yield count, _line([harmless(_cell(value)) for value in row.values()])
    if not count:
        yield 0, b"\xef\xbb\xbf"


def _line(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return str(_plain(value)) if not isinstance(value, str) else value


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _entry(name: str, now: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, now.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


def _counted(section: Section, count: int) -> str:
    more = " (the newest; there are more)" if count == MOST_ROWS else ""
    return f"{section.name}: {count} row{'' if count == 1 else 's'}{more}"
