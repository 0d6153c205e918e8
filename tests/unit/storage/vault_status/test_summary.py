"""How all computers stand, in one sentence."""

import pytest

from storage.vault_status.protection import Standing
from storage.vault_status.summary import WORST_FIRST, severity, summarise

GOOD, LATE, RISK = Standing.PROTECTED, Standing.LATE, Standing.AT_RISK


@pytest.mark.parametrize(
    ("standings", "text", "worst"),
    [
        ([GOOD], "Your computer is protected.", GOOD),
        ([LATE], "Your computer's backup is late.", LATE),
        ([GOOD] * 98, "All 98 computers are protected.", GOOD),
        (
            [GOOD] * 96 + [LATE] * 2,
            "96 of 98 computers are protected: 2 are late.",
            LATE,
        ),
        (
            [GOOD, LATE, RISK, Standing.RETIRED],
            "1 of 3 computers is protected: 1 is at risk, 1 is late.",
            RISK,
        ),
        (
            [Standing.NEVER] * 2,
            "None of 2 computers is protected: 2 were never backed up.",
            Standing.NEVER,
        ),
        (
            [GOOD] * 1999 + [Standing.COPYING],
            "1,999 of 2,000 computers are protected: 1 waits for second copies.",
            Standing.COPYING,
        ),
        (
            [Standing.RETIRED],
            "No computer is in use; the backups are still here.",
            Standing.RETIRED,
        ),
        (
            [Standing.RETIRED, Standing.DELETING],
            "No computer is in use; the backups are still here.",
            Standing.RETIRED,
        ),
        (
            [Standing.DELETING],
            "What was backed up is going to be deleted; nothing is backed up any more.",
            Standing.DELETING,
        ),
        ([GOOD, Standing.DELETING], "Your computer is protected.", GOOD),
        (
            [Standing.CLOSED, Standing.DELETING],
            "This account is closed; the backups are here until it is erased.",
            Standing.CLOSED,
        ),
        ([], "No computer is in use; the backups are still here.", Standing.RETIRED),
    ],
)
def test_the_sentence_tells_the_worst_first(
    standings: list[Standing], text: str, worst: Standing
) -> None:
    summary = summarise(standings)
    assert (summary.text, summary.standing) == (text, worst)


def test_every_standing_has_its_place_and_its_words() -> None:
    assert set(WORST_FIRST) == set(Standing)
    assert severity(RISK) == 0
    for standing in Standing:
        assert summarise([standing]).text
        assert summarise([standing, GOOD]).text
        assert standing.word == standing.value
