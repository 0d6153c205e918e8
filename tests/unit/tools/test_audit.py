"""What a feed of advisories knows is told; where it knows nothing at all, that is told instead."""

import json
from collections.abc import Mapping

import pytest

from tools.audit import Findings, read

SOUND = {"name": "idna", "version": "3.20", "vulns": []}
UNKNOWN = {"name": "cffi", "skip_reason": "Dependency not found on PyPI and could not be audited"}
WEAK = {
    "name": "urllib3",
    "version": "2.0.0",
    "vulns": [
        {"id": "PYSEC-2023-192", "fix_versions": ["1.26.17", "2.0.6"], "aliases": []},
        {"id": "PYSEC-2023-212", "fix_versions": [], "aliases": []},
    ],
}


def report(*libraries: Mapping[str, object]) -> str:
    return json.dumps({"dependencies": libraries, "fixes": []})


def test_weaknesses_are_told_with_what_mends_them() -> None:
    assert read(report(SOUND, UNKNOWN, WEAK)) == Findings(
        2,
        (
            "urllib3 2.0.0: PYSEC-2023-192, mended in 1.26.17, 2.0.6",
            "urllib3 2.0.0: PYSEC-2023-212, mended in no version",
        ),
    )


def test_a_feed_that_knows_nobody_is_none() -> None:
    assert read(report(UNKNOWN)) == Findings(0, ())


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        read("")
