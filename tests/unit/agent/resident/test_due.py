"""When a job runs next, by how its last run ended."""

from datetime import UTC, datetime, timedelta

import pytest
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState
from nightsafe.resident.due import count_missed, next_run

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
DAILY = Job("x", ("/x",), "daily 02:30", zone="UTC")
NIGHT = Job("x", ("/x",), "daily 02:30", zone="UTC", windows=("22:00-06:00",))
MANUAL = Job("x", ("/x",), "manually")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TONIGHT = datetime(2026, 12, 2, 2, 30, tzinfo=UTC)


def failed(times: int, at: datetime) -> JobState:
    state = JobState(added=NOW - 30 * DAY)
    for _ in range(times):
        state = state.begun(at).ended(at, "failed", error="No room.")
    return state


def test_the_first_run_is_the_first_time_after_it_was_added() -> None:
    assert next_run(DAILY, JobState(added=NOW), NOW) == TONIGHT
    assert next_run(DAILY, JobState(added=NOW - DAY), NOW) == NOW  # it was missed


def test_what_was_known_is_lost_so_it_is_due() -> None:
    assert next_run(DAILY, JobState(), NOW) == NOW
    assert next_run(NIGHT, JobState(), NOW) == NOW + timedelta(hours=10)


def test_after_a_run_it_is_the_next_time() -> None:
    ran = JobState(added=NOW).begun(NOW).ended(NOW + MINUTE, "complete", snapshot="ab" * 32)
    assert next_run(DAILY, ran, NOW + MINUTE) == TONIGHT
    unread = JobState(added=NOW).begun(NOW).ended(NOW, "incomplete", snapshot="ab" * 32, unread=1)
    assert next_run(DAILY, unread, NOW + MINUTE) == TONIGHT


@pytest.mark.parametrize(("times", "minutes"), [(1, 5), (2, 15), (3, 30), (4, 60), (50, 60)])
def test_what_failed_is_tried_again_after_ever_longer_pauses(times: int, minutes: int) -> None:
    assert next_run(DAILY, failed(times, NOW), NOW) == NOW + minutes * MINUTE


def test_its_time_comes_before_the_pause_is_over() -> None:
    just_before = TONIGHT - 10 * MINUTE
    assert next_run(DAILY, failed(4, just_before), just_before) == TONIGHT


def test_a_pause_that_ends_outside_its_hours_waits_for_them() -> None:
    at = datetime(2026, 12, 1, 5, 58, tzinfo=UTC)
    assert next_run(NIGHT, failed(1, at), at) == datetime(2026, 12, 1, 22, 0, tzinfo=UTC)


def test_what_was_broken_off_begins_again_at_once() -> None:
    begun = JobState(added=NOW).begun(NOW)
    for state in (begun, begun.ended(NOW, "interrupted")):
        assert next_run(DAILY, state, NOW + MINUTE) == NOW + MINUTE


def test_a_job_that_waits_to_be_asked() -> None:
    for state in (JobState(), JobState(added=NOW), failed(1, NOW), JobState().begun(NOW)):
        assert next_run(MANUAL, state, NOW) is None
        assert count_missed(MANUAL, state, NOW) == 0


def test_how_many_times_were_missed() -> None:
    state = JobState(added=NOW)
    assert count_missed(DAILY, state, NOW) == 0
    assert count_missed(DAILY, state, NOW + 3 * DAY) == 3
    assert count_missed(DAILY, JobState(), NOW) == 0
    assert count_missed(DAILY, state, NOW - DAY) == 0
    often = Job("x", ("/x",), "every 1m")
    assert count_missed(often, state, NOW + 30 * DAY) == 1000
