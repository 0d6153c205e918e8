"""Creates boto3 clients, and interprets their errors."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from storages.backends.s3 import S3Storage

from storage.stores.base import (
    KeyExistsError,
    OtherBytesError,
    RegionError,
    RegionFullError,
    RegionUnavailableError,
)
from storage.stores.configuration import S3Region

StoreFailure = (BotoCoreError, ClientError)
CONNECTIONS = 80  # as many as the gateway has threads, and a few
FULL = {"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "EntityTooLarge"}
WRONG_BYTES = {
    "BadDigest",
    "IncompleteBody",
    "InvalidDigest",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
}


def make_client(region: S3Region, *, tries: int = 1) -> Any:
    """Return a client (safe between threads), made by django-storages from the region's options.

    `tries` above 1 is for requests that may be repeated without harm.
    """
    url = region.endpoint
    storage = S3Storage(
        bucket_name=region.bucket,
        access_key=region.access_key,
        secret_key=region.secret_key,
        security_token=None,
        session_profile=None,
        endpoint_url=url,
        region_name=region.signing_region,
        client_config=Config(
            signature_version="s3v4",
            # The checksum of the body is signed, so the body itself need not be read twice.
            s3={"addressing_style": region.addressing, "payload_signing_enabled": False},
            # Checksums are named by us; others would only cost time.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": tries},
            connect_timeout=region.connect_timeout,
            read_timeout=region.read_timeout,
            max_pool_connections=CONNECTIONS,
            proxies={} if _is_local(url) else None,
        ),
    )
    return storage.connection.meta.client


def status_of(error: Exception) -> int:
    """Return the HTTP status that a store answered with; 0 if it did not answer."""
    if not isinstance(error, ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: Exception) -> str:
    """Return the store's own word for what is wrong."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def meaning(region: S3Region, error: Exception) -> RegionError:
    """Return what a store's refusal or silence means. A missing key is for the caller to tell."""
    status, code = status_of(error), code_of(error)
    if status == 412:
        return KeyExistsError(f"Region {region.alias} has bytes under this key already.")
    if status in (413, 507) or code in FULL:
        return RegionFullError(f"Region {region.alias} has no room ({code or status}).")
    if code in WRONG_BYTES:
        return OtherBytesError(
            f"Region {region.alias} received other bytes than were sent, and refused them ({code})."
        )
    if status in (401, 403):
        return RegionUnavailableError(
            f"Region {region.alias} refuses its keys ({code or status}): see "
            "NIGHTSAFE_REGION_…_ACCESS_KEY and …_SECRET_KEY, their rights, and this host's clock."
        )
    if status:
        return RegionUnavailableError(f"Region {region.alias} answered {status} {code}.")
    return RegionUnavailableError(f"Region {region.alias} {_silence(error)}.")


def _silence(error: Exception) -> str:
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return "cannot be reached"
    if isinstance(error, ReadTimeoutError):
        return "does not answer in time"
    return f"broke off ({type(error).__name__})"


def _is_local(url: str) -> bool:
    """Return whether an address is of this computer, where no proxy of the environment can help."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
