"""The marker object of a bucket, which says whose region it is, and since when that is known."""

import json
import time
from typing import Any

from storage.stores.base import RegionError, RegionUnavailableError
from storage.stores.configuration import S3Region
from storage.stores.s3.client import StoreFailure, meaning, status_of

NAME = ".nightsafe-region"
TRUSTED = 5.0  # seconds for which a check of the marker holds for uploads and deletions


class Marker:
    """A region's marker. `instance` is what it must say; `once` and `again` are clients."""

    def __init__(self, region: S3Region, instance: str, *, once: Any, again: Any) -> None:
        self.instance = instance
        self._region = region
        self._once, self._again = once, again
        self._trusted_until = 0.0

    def write(self, instance: str) -> None:
        """Make the bucket if there is none, and mark it; only an empty one is taken."""
        try:
            self._make_bucket()
            if not self._is_vacant():
                raise self._unavailable(
                    "is not empty. Give the region an empty bucket, or put back the one it had."
                )
            marker = json.dumps({"region": self._region.alias, "instance": instance}) + "\n"
            self._once.put_object(Bucket=self._region.bucket, Key=NAME, Body=marker.encode())
        except StoreFailure as error:
            raise self.meaning(error) from error
        self.instance = instance
        self.check()

    def check(self) -> None:
        """Raise RegionUnavailableError unless the bucket is this region's."""
        self.distrust()
        marker = self._read()
        if not marker or not self.instance:
            raise self._unavailable("is missing or not this region's bucket.")
        if marker.get("instance") != self.instance:
            raise self._unavailable("belongs to another region or an earlier one.")
        self._trusted_until = time.monotonic() + TRUSTED

    def check_lately(self) -> None:
        """As `check`, unless that went well a moment ago."""
        if time.monotonic() >= self._trusted_until:
            self.check()

    def distrust(self) -> None:
        """Have the next `check_lately` check again."""
        self._trusted_until = 0.0

    def meaning(self, error: Exception) -> RegionError:
        """Return what a client's error means; after some the bucket may be another one."""
        found = meaning(self._region, error)
        if isinstance(found, RegionUnavailableError):
            self.distrust()
        return found

    def _unavailable(self, what: str) -> RegionUnavailableError:
        return RegionUnavailableError(
            f"Region {self._region.alias}: {self._region.location} {what}"
        )

    def _make_bucket(self) -> None:
        location = {"Bucket": self._region.bucket}
        try:
            self._again.head_bucket(**location)
            return
        except StoreFailure as error:
            if status_of(error) != 404:
                raise
        if self._region.signing_region != "us-east-1":
            where = {"LocationConstraint": self._region.signing_region}
            self._once.create_bucket(**location, CreateBucketConfiguration=where)
        else:
            self._once.create_bucket(**location)
        self._again.head_bucket(**location)

    def _is_vacant(self) -> bool:
        """Whether nothing is here, or only what an interrupted `write` of this alias left."""
        found = self._again.list_objects_v2(Bucket=self._region.bucket, MaxKeys=2)
        names = {entry["Key"] for entry in found.get("Contents", [])}
        if NAME in names and self._read().get("region", self._region.alias) != self._region.alias:
            return False
        return names <= {NAME}

    def _read(self) -> dict[str, Any]:
        """Return what the marker says; nothing if there is none."""
        try:
            answer = self._again.get_object(Bucket=self._region.bucket, Key=NAME)
            with answer["Body"] as body:
                marker = json.loads(body.read(4096) or b"{}")
        except StoreFailure as error:
            if status_of(error) == 404:
                return {}
            raise self.meaning(error) from error
        except (ValueError, OSError) as error:
            raise RegionUnavailableError(
                f"Region {self._region.alias}: its marker cannot be read: {error}"
            ) from error
        return marker if isinstance(marker, dict) else {"region": "", "instance": ""}
