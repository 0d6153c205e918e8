"""Where free ports are looked for, and that nobody gets another one's."""

import subprocess
import sys
from collections import Counter

import pytest

from backup_service.embedded import ports
from backup_service.env import BASE_DIR

CHOOSE = (
    "import sys; from backup_service.embedded.ports import any_port;"
    "print(*[any_port() for _ in range(150)], flush=True); sys.stdin.read()"
)


def test_no_outgoing_connection_may_sit_on_a_chosen_port() -> None:
    first, last = ports.outgoing()
    assert not [port for port in (ports.any_port() for _ in range(50)) if first <= port <= last]


@pytest.mark.parametrize(
    ("outgoing", "expected"),
    [
        ((32_768, 60_999), range(10_000, 32_768)),
        ((49_152, 65_535), range(10_000, 49_152)),
        ((10_000, 50_000), range(50_001, 65_536)),
        ((1024, 40_000), range(40_001, 65_536)),
        ((1024, 65_535), range(10_000, 65_536)),  # there is no other place
    ],
)
def test_ports_come_from_outside_the_outgoing_range(
    outgoing: tuple[int, int], expected: range
) -> None:
    assert ports.outside(outgoing) == expected


def test_those_who_choose_at_the_same_time_get_different_ports() -> None:
    """Before anybody listens: as stages of the tests do, side by side."""
    command = [sys.executable, "-c", CHOOSE]
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen(command, cwd=BASE_DIR, stdin=pipe, stdout=pipe, text=True)
        for _ in range(3)
    ]
    chosen: Counter[str] = Counter()
    for one in running:
        assert one.stdout is not None
        chosen.update(one.stdout.readline().split())
    for one in running:
        one.communicate("")
    assert len(chosen) == 450
    assert set(chosen.values()) == {1}


def test_a_port_is_let_go_with_its_process() -> None:
    code = "from backup_service.embedded.ports import any_port; print(any_port())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BASE_DIR, capture_output=True, text=True, check=True
    )
    assert ports.take(int(done.stdout))


def test_a_process_may_keep_its_own() -> None:
    port = ports.any_port()
    assert ports.prefer([port], avoid=()) == port
    assert ports.prefer([port], avoid=[port]) != port
    assert ports.site_port("0", before=port) == port
