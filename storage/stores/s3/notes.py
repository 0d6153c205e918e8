"""The service's own notes in a bucket, beside the vaults: few, small, read back when written."""

from email.utils import parsedate_to_datetime
from typing import Any

from storage.stores.base import LONGEST_NOTE, NOTES, require_note
from storage.stores.s3.client import StoreFailure, status_of


class LostNoteError(Exception):
    """A store said that it kept a note, and has another or none."""


class Notes:
    """Notes of one region's bucket. Raises what the client raises. Safe between threads."""

    def __init__(self, bucket: str, once: Any, again: Any, page: int) -> None:
        """`again` is the client for what may be repeated."""
        self._bucket = bucket
        self._once = once
        self._again = again
        self._page = page

    def write(self, name: str, content: bytes, *, once: bool) -> None:
        """Write a note, and see that it is there. Raises LostNoteError if it is not."""
        require_note(name, content)
        target = {"Bucket": self._bucket, "Key": f"{NOTES}/{name}"}
        if once:
            self._once.put_object(**target, Body=content, IfNoneMatch="*")
        else:
            self._again.put_object(**target, Body=content)
        if self.read(name) != content:
            raise LostNoteError(name)

    def abort_parts(self, older_than: float) -> int:
        """End uploads in parts that began so many seconds ago by the store's clock; count them."""
        aborted, target = 0, {"Bucket": self._bucket}
        for page in self._again.get_paginator("list_multipart_uploads").paginate(**target):
            now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
            for upload in page.get("Uploads", []):
                if (now - upload["Initiated"]).total_seconds() < older_than:
                    continue
                which = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                self._again.abort_multipart_upload(**target, **which)
                aborted += 1
        return aborted

    def read(self, name: str) -> bytes | None:
        """Return a note; None if there is none."""
        require_note(name)
        try:
            answer = self._again.get_object(Bucket=self._bucket, Key=f"{NOTES}/{name}")
        except StoreFailure as error:
            if status_of(error) == 404:
                return None
            raise
        with answer["Body"] as body:
            return bytes(body.read(LONGEST_NOTE + 1))

    def names(self, word: str) -> list[str]:
        """Return the names that begin with a word, in order."""
        return sorted(key.removeprefix(f"{NOTES}/") for key in self._keys(f"{NOTES}/{word}/"))

    def drop(self) -> None:
        """Remove every note."""
        for key in self._keys(f"{NOTES}/"):
            self._again.delete_object(Bucket=self._bucket, Key=key)

    def _keys(self, prefix: str) -> list[str]:
        pages = self._again.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=prefix,
            PaginationConfig={"PageSize": self._page},
        )
        return [str(entry["Key"]) for page in pages for entry in page.get("Contents", [])]
