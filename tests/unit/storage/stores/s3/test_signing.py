"""Our signatures beside botocore's."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from storage.object_names import ObjectName, ObjectType, StoreKey
from storage.stores.configuration import S3Region
from storage.stores.s3.client import make_client
from storage.stores.s3.signing import Signer

KEY = StoreKey("abcdefghij234567abcd", ObjectName(ObjectType.DATA, "ab" * 32), "0" * 32)
PUT = {"Content-Length": "5", "If-None-Match": "*", "x-amz-checksum-sha256": "abc+/="}


@pytest.mark.parametrize("addressing", ["path", "virtual"])
@pytest.mark.parametrize("endpoint", ["http://store.example:9000", "https://store.example"])
@pytest.mark.parametrize(("method", "headers"), [("GET", {}), ("PUT", PUT)])
def test_they_are_the_same(
    addressing: str, endpoint: str, method: str, headers: dict[str, str]
) -> None:
    region = S3Region(
        alias="x",
        endpoint="http://127.0.0.1:1",
        bucket="some-bucket",
        access_key="key/with+signs",
        secret_key="secret/with+signs",
        public_endpoint=endpoint,
        signing_region="eu-central-1",
        addressing=addressing,
        direct=True,
    )
    wanted = {"ContentLength": 5, "IfNoneMatch": "*", "ChecksumSHA256": "abc+/="} if headers else {}
    theirs = urlsplit(
        make_client(replace(region, endpoint=endpoint)).generate_presigned_url(
            f"{method.lower()}_object",
            Params={"Bucket": region.bucket, "Key": str(KEY), **wanted},
            ExpiresIn=600,
        )
    )
    found = parse_qs(theirs.query)
    at = datetime.strptime(found["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = urlsplit(Signer(region, endpoint).url(method, KEY, headers, seconds=600, at=at))
    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, theirs.netloc, theirs.path)
    assert parse_qs(ours.query) == found
