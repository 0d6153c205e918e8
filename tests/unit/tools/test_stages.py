"""The stages leave no test out, and run few of them twice."""

import re

import pytest

from backup_service.env import BASE_DIR
from tests.support import postgres
from tools import test as stages

UNIT = next(stage for stage in stages.STAGES if stage.name == "unit")
POSTGRES, PAGES = (stage for stage in stages.STAGES if stage.on_postgres)


def ignored(stage: stages.Stage) -> set[str]:
    return {word.split("=")[1] for word in stage.selection if word.startswith("--ignore=")}


def test_what_one_leaves_out_is_there_and_another_one_runs_it() -> None:
    (unit, *_) = stages.without_repeats([UNIT, POSTGRES, PAGES])
    assert ignored(unit) & ignored(POSTGRES) == {"tests/unit/agent"} | set(PAGES.selection[2:])
    for name in ignored(unit) | ignored(POSTGRES):
        assert (BASE_DIR / name).exists(), name


def test_where_a_version_of_restic_differs_it_is_run() -> None:
    """The page of differences says so."""
    page = (BASE_DIR / "docs" / "restic-versions.md").read_text()
    named = {f"tests/{name}" for name in re.findall(r"`(interop/[\w/]+\.py)", page)}
    [stage] = [one for one in stages.STAGES if one.name == "interop-0.18"]
    assert named <= {word.partition("::")[0] for word in stage.selection}


@pytest.mark.parametrize("chosen", [[UNIT], [UNIT, POSTGRES], [UNIT, PAGES]])
def test_all_runs_on_sqlite_where_nothing_runs_on_postgresql(
    chosen: list[stages.Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    if PAGES in chosen:
        monkeypatch.setattr(postgres, "find_binaries", lambda: None)
    assert stages.without_repeats(chosen) == chosen
