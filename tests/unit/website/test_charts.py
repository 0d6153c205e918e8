"""A line over days: its points, its scale, and its rows."""

from datetime import date, timedelta

from storage.website.charts import FEWEST, HEIGHT, WIDTH, chart

BEGIN = date(2027, 1, 1)


def samples(*sizes: int) -> list[tuple[date, int]]:
    return [(BEGIN + timedelta(days=n), size) for n, size in enumerate(sizes)]


def points(line: str) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in (pair.split(",") for pair in line.split())]


def test_too_few_days_are_no_line() -> None:
    assert chart([]) is None
    assert chart(samples(*[5] * (FEWEST - 1))) is None


def test_the_line_goes_from_side_to_side_and_rises_with_the_size() -> None:
    drawn = chart(samples(0, 50, 100))
    assert drawn is not None
    (left, low), (middle, half), (right, high) = points(drawn.line)
    assert (left, middle, right) == (0, WIDTH // 2, WIDTH)
    assert low == HEIGHT
    assert 0 < high < half < low


def test_days_that_are_missing_leave_their_room() -> None:
    drawn = chart([samples(1)[0], (BEGIN + timedelta(days=1), 1), (BEGIN + timedelta(days=10), 1)])
    assert drawn is not None
    assert [x for x, _ in points(drawn.line)] == [0, WIDTH // 10, WIDTH]


def test_nothing_at_all_is_drawn_at_the_bottom() -> None:
    drawn = chart(samples(0, 0, 0))
    assert drawn is not None
    assert {y for _, y in points(drawn.line)} == {HEIGHT}


def test_the_quota_is_drawn_once_it_is_near() -> None:
    far, near = chart(samples(1, 2, 49), quota=100), chart(samples(1, 2, 50), quota=100)
    assert far is not None
    assert near is not None
    assert far.limit is None
    assert near.limit is not None
    assert 0 <= near.limit < min(y for _, y in points(near.line))


def test_rows_are_one_a_week_and_begin_with_now() -> None:
    drawn = chart(samples(*range(20)))
    assert drawn is not None
    assert [size for _, size in drawn.rows] == [19, 12, 5]
    assert (drawn.first[1], drawn.last[1]) == (0, 19)
