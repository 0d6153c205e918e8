"""The documents name files, tables and figures that are there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from backup_service.embedded import reserve
from backup_service.env import BASE_DIR
from storage.api import control, session
from storage.deletion import purge_limits, sweep
from storage.downloads import read
from storage.monitoring import rules
from storage.object_names import GIB, KIB, MIB, SIZE_LIMITS, ObjectType
from storage.objects import batch, commit
from storage.stores import rate_limits
from storage.stores.filesystem import store as filesystem
from storage.uploads import presigned
from storage.vaults import enrolment, quota

DOCS = BASE_DIR / "docs"
PAGES = sorted(
    path
    for folder in (BASE_DIR, DOCS, *(BASE_DIR / name for name in ("agent", "docker", "findings")))
    for path in folder.glob("*.md")
)
SOURCES = ["accounts", "agent", "backup_service", "bench", "billing", "docker", "native", "storage"]
_FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|c|h|toml|yaml))`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)")
_NO_FILES_OF_OURS = {"s3.json", "compose.yaml", "jobs.toml"}
LEFT_OUT = {"Group", "Permission"}  # Django's own


def _known() -> set[str]:
    tops = [*SOURCES, "tests"]
    return {
        str(path.relative_to(BASE_DIR))
        for top in tops
        for path in (BASE_DIR / top).rglob("*.*")
        if path.suffix in {".py", ".c", ".h", ".toml", ".yaml"}
    } | {path.name for path in BASE_DIR.iterdir()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(BASE_DIR)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """In full, or from the package on that the page is about."""
    known = _known()
    named = set(_FILE.findall(page.read_text())) - _NO_FILES_OF_OURS
    missing = [
        name
        for name in sorted(named)
        if name not in known and not any(path.endswith(f"/{name}") for path in known)
    ]
    assert missing == [], f"{page.name} names what is not there: {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(BASE_DIR)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if "://" not in link]
    broken = [link for link in links if not (page.parent / link).exists()]
    assert broken == [], f"{page.name} leads nowhere: {broken}"


def test_every_page_is_in_the_index() -> None:
    listed = set(_LINK.findall((DOCS / "README.md").read_text()))
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert pages - listed == set()


def test_the_picture_of_the_tables_is_complete() -> None:
    """Every table is named, and every reference between two of ours is a line of the picture."""
    page = (DOCS / "data-model.md").read_text()
    drawn = set(re.findall(r"^ +(\w+) \|\|--o[{|] (\w+) :", page, re.MULTILINE))
    tables, references = set(), set()
    for app in ("accounts", "billing", "storage"):
        for model in apps.get_app_config(app).get_models():
            tables.add(model.__name__)
            references |= {
                (to.__name__, model.__name__)
                for field in model._meta.get_fields()
                if field.is_relation and field.concrete
                for to in [field.related_model]
                if isinstance(to, type) and to.__name__ not in LEFT_OUT
            }
    assert drawn == references
    assert [table for table in sorted(tables) if not re.search(rf"\b{table}\b", page)] == []


def _claims() -> Iterator[tuple[str, str, float]]:
    """Pages, what they say with a figure in it, and the figure that the code has."""
    day, hour = 86400, 3600
    protocol, operations = "protocol.md", "operations.md"
    in_words = {10: "ten"}
    yield protocol, f"A vault has at most {in_words[commit.MAX_KEYS]} keys", commit.MAX_KEYS
    yield protocol, r"an account at most (\d+) vaults", enrolment.MOST_VAULTS
    yield protocol, r"of a refused upload up to (\d+) MiB are read", settings.REFUSED_READ / MIB
    yield protocol, r"data (\d+) GiB", SIZE_LIMITS[ObjectType.DATA] / GIB
    yield protocol, r"index (\d+) MiB", SIZE_LIMITS[ObjectType.INDEX] / MIB
    yield protocol, r"snapshots (\d+) MiB", SIZE_LIMITS[ObjectType.SNAPSHOT] / MIB
    yield protocol, r"locks (\d+) KiB", SIZE_LIMITS[ObjectType.LOCK] / KIB
    yield protocol, r"others (\d+) KiB", SIZE_LIMITS[ObjectType.KEY] / KIB
    yield protocol, r"grace period of (\d+) days", settings.GRACE.total_seconds() / day
    yield protocol, r"and at least (\d+) KiB. Against", quota.FLOOR / KIB
    yield protocol, r"at least (\d+) GB, since", quota.OVERDRAW_LEAST / 10**9
    yield protocol, r"of a pack, or of (\d+) KiB or more", read.REDIRECTED / KIB
    yield protocol, r"### `begin` \((\d+) KiB\)", control.BEGIN_BODY / KIB
    yield protocol, r"### `uploads` \((\d+) KiB\)", control.BATCH_BODY / KIB
    yield protocol, r"### `finish` \((\d+) MiB\)", control.FINISH_BODY / MIB
    yield protocol, r"more than ([\d,]+): list them", session.MOST_LISTED
    yield protocol, r"the newest (\d+)\s+snapshots since", session.MOST_BODIES
    yield protocol, r"since then of at most (\d+) KiB", session.SMALL / KIB
    yield protocol, r"up to ([\d,]+) lost objects", session.MOST_WANTED
    yield protocol, r"At most (\d+) of each", batch.MAX_OBJECTS
    yield protocol, r"and (\d+) GiB in a batch", batch.MAX_BYTES / GIB
    yield protocol, r"have (\d+) GiB of transfers", presigned.OUTSTANDING / GIB
    yield operations, r"A vault may have ([\d,]+) uploads open", quota.MOST_OPEN_OF_VAULT
    yield operations, r"\(but ([\d,]+) and 20,000", purge_limits.LEAST_OF_ACCOUNT
    yield operations, r"\(but 2,000 and ([\d,]+)", purge_limits.LEAST_OF_ALL
    yield operations, r"([\d,]+) at a time: `python -m bench.sweep", sweep.BATCH
    yield operations, r"keep (\d+) MiB back in the data", reserve.SIZE / MIB
    yield operations, r"\(503\) until (\d+) MiB are free", filesystem.HEADROOM / MIB
    yield operations, r"when there are (\d+) MiB", reserve.PLENTY / MIB
    yield operations, r"1 to 99; (\d+)\. More", rate_limits.COPIES_AT_ONCE
    yield operations, r"while reading back; (\d+)M", rate_limits.SCRUB_RATE / 10**6
    yield operations, r"late \((\d+) minutes\) or parked", rules.COPIES_LATE / rules.MINUTE
    yield operations, r"away for (\d+) minutes", rules.AWAY_LONG / rules.MINUTE
    yield operations, r"again within (\d+) days", settings.SCRUB_PERIOD.total_seconds() / day
    yield operations, r"NIGHTSAFE_DIRECT_SECONDS=(\d+)", settings.DIRECT_SECONDS
    yield "architecture.md", r"grace period of (\d+) days", settings.GRACE.total_seconds() / day
    yield "architecture.md", r"at most (\d+) KiB each", SIZE_LIMITS[ObjectType.LOCK] / KIB
    assert settings.SETUP_RIGHT.total_seconds() == hour
    yield protocol, "one hour after the vault was made", 1


@pytest.mark.parametrize(("page", "claim", "figure"), list(_claims()))
def test_figures_are_those_of_the_code(page: str, claim: str, figure: float) -> None:
    text = (DOCS / page).read_text()
    found = re.search(claim.replace(" ", r"\s+"), text)
    assert found, f"{page} does not say it any more: {claim}"
    for said in found.groups():
        assert float(said.replace(",", "")) == figure, f"{page}: {found[0]}"
