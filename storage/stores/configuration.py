"""Parses and checks the configuration of regions in the environment. Pure.

`NIGHTSAFE_REGIONS="a=/disk1/a,b=s3+https://store.example/bucket"` names the regions, most wanted
first: a directory, or a bucket in an S3-compatible store. What else a store wants stands in
variables of its own, `NIGHTSAFE_REGION_<ALIAS>_<OPTION>`, with the alias in capitals and `_` for
`-`. Nothing of this is ever written to the database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from storage.stores import traits

ALIAS = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
S3_SCHEMES = {"s3+http": "http", "s3+https": "https"}
OPTIONS = (
    "ACCESS_KEY",
    "SECRET_KEY",
    "PUBLIC_URL",
    "SIGNING_REGION",
    "ADDRESSING",
    "DIRECT",
    "TIMEOUT",
)
YES, NO = ("1", "yes", "true", "on"), ("", "0", "no", "false", "off")


class ConfigurationError(ValueError):
    """Raised for an impossible configuration of a region; the text says what is wrong."""


@dataclass(frozen=True)
class DirectoryRegion:
    """A region in a directory."""

    alias: str
    root: Path

    @property
    def location(self) -> str:
        """Where its bytes lie, which no other region may share."""
        return str(self.root)


@dataclass(frozen=True)
class S3Region:
    """A region in a bucket. Endpoints are addresses without a path; timeouts are in seconds."""

    alias: str
    endpoint: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    public_endpoint: str
    signing_region: str = "us-east-1"
    addressing: str = "path"
    direct: bool = False
    general_only: bool = False  # nothing but boto3 speaks to the store
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    page: int = 1000  # keys in one answer to a listing

    @property
    def location(self) -> str:
        """Where its bytes lie, which no other region may share."""
        return f"{self.endpoint}/{self.bucket}"


RegionConfiguration = DirectoryRegion | S3Region


def options_of(
    aliases: Mapping[str, str], variables: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return each region's options, from variables named `<ALIAS>_<OPTION>`.

    A variable belongs to the region with the longest fitting name. Under "" stand those that
    fit none.
    """
    prefixes = sorted(
        ((_prefix(alias), alias) for alias in aliases), key=lambda pair: -len(pair[0])
    )
    found: dict[str, dict[str, str]] = {alias: {} for alias in ["", *aliases]}
    for name, value in variables.items():
        fitting = (pair for pair in prefixes if name.startswith(pair[0]))
        prefix, alias = next(fitting, ("", ""))
        found[alias][name.removeprefix(prefix)] = value
    return found


def parse(alias: str, location: str, options: Mapping[str, str]) -> RegionConfiguration:
    """Return one region's configuration. Raises ConfigurationError."""
    if not ALIAS.fullmatch(alias):
        raise ConfigurationError(
            f"{alias!r} is no name for a region: take up to 40 small letters, digits and hyphens."
        )
    if unknown := sorted(set(options) - set(OPTIONS) - set(traits.OPTIONS)):
        raise ConfigurationError(
            f"Region {alias}: there is no option {variable(alias, unknown[0])}. "
            f"Options end in {', '.join(OPTIONS + traits.OPTIONS)}."
        )
    traits_in(alias, options)
    scheme = location.partition("://")[0] if "://" in location else ""
    if scheme in S3_SCHEMES:
        return _s3(alias, location, options)
    if scheme or not Path(location).is_absolute():
        raise ConfigurationError(
            f"Region {alias}: {_without_secrets(location)!r} is neither an absolute path nor "
            "s3+https://host/bucket (s3+http only where nobody can listen)."
        )
    if strange := set(options) - set(traits.OPTIONS):
        raise ConfigurationError(
            f"Region {alias} is a directory and takes no {variable(alias, min(strange))}."
        )
    return DirectoryRegion(alias, Path(location))


def traits_in(alias: str, options: Mapping[str, str]) -> traits.Traits:
    """Return what one region's options say for placement. Raises ConfigurationError."""
    try:
        return traits.parse_traits(alias, options)
    except traits.TraitError as error:
        raise ConfigurationError(f"Region {alias}: {variable(alias, str(error))}") from error


def variable(alias: str, option: str) -> str:
    """Return the name of the environment's variable for one option of a region."""
    return f"NIGHTSAFE_REGION_{_prefix(alias)}{option}"


def _prefix(alias: str) -> str:
    return alias.upper().replace("-", "_") + "_"


def _s3(alias: str, location: str, options: Mapping[str, str]) -> S3Region:
    address = urlsplit(location)
    endpoint = _endpoint(alias, address, S3_SCHEMES[address.scheme])
    bucket = address.path.strip("/")
    if not BUCKET.fullmatch(bucket) or address.query or address.fragment:
        raise ConfigurationError(
            f"Region {alias}: after the host there must be the name of a bucket and nothing else, "
            "as in s3+https://store.example/bucket."
        )
    for option in ("ACCESS_KEY", "SECRET_KEY"):
        if not options.get(option):
            raise ConfigurationError(f"Region {alias}: {variable(alias, option)} is not set.")
    public = options.get("PUBLIC_URL", "")
    timeout = _seconds(alias, options.get("TIMEOUT") or "60")
    return S3Region(
        alias=alias,
        endpoint=endpoint,
        bucket=bucket,
        access_key=options["ACCESS_KEY"],
        secret_key=options["SECRET_KEY"],
        public_endpoint=_public(alias, public) if public else endpoint,
        signing_region=options.get("SIGNING_REGION") or "us-east-1",
        addressing=_one_of(alias, "ADDRESSING", options.get("ADDRESSING") or "path"),
        direct=_is_yes(alias, "DIRECT", options.get("DIRECT", "")),
        connect_timeout=min(10.0, timeout),
        read_timeout=timeout,
    )


def _endpoint(alias: str, address: SplitResult, scheme: str) -> str:
    try:
        port = address.port
    except ValueError as error:
        raise ConfigurationError(f"Region {alias}: its port is no port number.") from error
    if not address.hostname or address.username or address.password:
        raise ConfigurationError(
            f"Region {alias}: its address needs a host and holds no keys; those belong into "
            f"{variable(alias, 'ACCESS_KEY')} and {variable(alias, 'SECRET_KEY')}."
        )
    host = f"[{address.hostname}]" if ":" in address.hostname else address.hostname
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"


def _public(alias: str, text: str) -> str:
    address = urlsplit(text)
    if address.scheme not in ("http", "https") or address.path.strip("/") or address.query:
        raise ConfigurationError(
            f"Region {alias}: {variable(alias, 'PUBLIC_URL')} must be the address at which "
            "clients reach the store, as https://store.example, without a bucket."
        )
    return _endpoint(alias, address, address.scheme)


def _one_of(alias: str, option: str, value: str) -> str:
    if value not in ("path", "virtual"):
        raise ConfigurationError(f"Region {alias}: {variable(alias, option)} is path or virtual.")
    return value


def _is_yes(alias: str, option: str, value: str) -> bool:
    if value.lower() not in YES + NO:
        raise ConfigurationError(f"Region {alias}: {variable(alias, option)} is yes or no.")
    return value.lower() in YES


def _seconds(alias: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 600:
        raise ConfigurationError(
            f"Region {alias}: {variable(alias, 'TIMEOUT')} is a number of seconds from 1 to 600."
        )
    return seconds


def _without_secrets(location: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", location)[:200]
