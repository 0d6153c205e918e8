"""The floor under coverage only rises, and what the page says fits it."""

from pathlib import Path

import pytest

from backup_service.env import BASE_DIR
from tools.coverage import MARGIN, Count, disagreements, floor, page, raise_floor, verdict


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A checkout of two packages, whose floor is 80.0."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        '[tool.coverage.run]\nsource = ["one", "two"]\n\n'
        "[tool.coverage.report]\nfail_under = 80.0\n\n[tool.other]\nsize = 1\n"
    )
    return tmp_path


def counts(together: float) -> dict[str, Count]:
    """A thousand lines and branches in each package, of which so many per cent are run through."""
    run = round(10 * together)
    return {name: Count(600, run - 300, 400, 300) for name in ("one", "two", "all")}


def write(top: Path, together: float) -> None:
    (top / "docs" / "coverage.md").write_text(page(counts(together)))


def test_the_floor_follows_upwards_and_never_down(top: Path) -> None:
    raise_floor(top, 85.04)
    assert floor(top) == 84.7
    raise_floor(top, 70.0)
    assert floor(top) == 84.7
    assert "[tool.other]\nsize = 1\n" in (top / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (79.9, ["The floor is 80.0, and 79.9 was measured: test what is new."]),
        (80.0, []),
        (80 + MARGIN, []),
        (
            81.1,
            ["The floor is 80.0, and 81.1 was measured: raise it. `make coverage` does."],
        ),
    ],
)
def test_below_the_floor_and_well_above_it_something_is_to_be_done(
    measured: float, said: list[str]
) -> None:
    assert list(verdict(measured, 80.0)) == said


def test_page_and_floor_agree_once_both_are_written(top: Path) -> None:
    write(top, 93.0)
    assert "raise it" in next(disagreements(top))
    raise_floor(top, 93.0)
    assert list(disagreements(top)) == []


def test_a_page_of_other_packages_is_told(top: Path) -> None:
    write(top, 80.5)
    assert list(disagreements(top)) == []
    project = top / "pyproject.toml"
    project.write_text(project.read_text().replace('"two"', '"three"'))
    assert "is not of one, three" in next(disagreements(top))


def test_lines_and_branches_count_alike() -> None:
    count = Count()
    for _ in range(2):
        count.add(
            {"num_statements": 6, "covered_lines": 6, "num_branches": 4, "covered_branches": 1}
        )
    assert count.row("one") == "| one | 100.0 | 25.0 | 70.0 |\n"


def test_here_they_agree() -> None:
    assert list(disagreements(BASE_DIR)) == []
