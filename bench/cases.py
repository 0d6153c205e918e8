"""What is measured: each group begins with an empty repository and goes on in it."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nightsafe.backend.local import LocalBackend

from bench.compare import require_same
from bench.datasets import edited, ensure
from bench.listing import far_vault, list_snapshots
from bench.measure import Cost
from bench.peers import PASSPHRASE, Nightsafe, Peer
from tests.support import repositories

DATA = "abcfghu"
"""The groups that work on a data set."""
UNCHANGED = 3  # times in a row: a third of a second is too short to be measured once


@dataclass
class Results:
    """Costs by case and peer, and the repositories' bytes after the first backup."""

    costs: dict[tuple[str, str], list[Cost]] = field(default_factory=lambda: defaultdict(list))
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, case: str, peer: Peer, cost: Cost) -> None:
        """Note one measurement and show it."""
        self.costs[case, peer.name].append(cost)
        print(
            f"{case:<12} {peer.name:<10} {cost.wall:7.2f} s {cost.cpu:7.2f} cpu-s "
            f"{cost.memory / 1e6:7.0f} MB",
            flush=True,
        )


@dataclass(frozen=True)
class Setting:
    """Where the data sets are, which of them are used, and where restores go."""

    scratch: Path
    quick: bool = False

    def data(self, letter: str) -> Path:
        """The path of a data set, built when it is not there."""
        small = self.quick and letter in "abchu"
        return ensure(f"quick-{letter}" if small else letter, self.scratch)

    @property
    def target(self) -> Path:
        """The folder that restores go to."""
        return self.scratch / "work" / "restored"


Group = Callable[[Setting, Peer, Results, int], None]


def _first(letter: str, setting: Setting, peer: Peer, results: Results) -> Path:
    source = setting.data(letter)
    peer.init()
    results.add(f"{letter} first", peer, peer.backup(source, 0))
    results.sizes[f"{letter} first", peer.name] = peer.size()
    return source


def _restore(letter: str, setting: Setting, peer: Peer, results: Results, number: int) -> None:
    """Restore the newest backup and compare every byte of it."""
    source = setting.data(letter)
    shutil.rmtree(setting.target, ignore_errors=True)
    results.add(f"{letter} restore", peer, peer.restore(setting.target, number))
    require_same(source, setting.target / source.name)
    shutil.rmtree(setting.target)


def folder_of_sources(setting: Setting, peer: Peer, results: Results, turn: int) -> None:
    """(a) and (d): many small files, first and unchanged, and back."""
    source = _first("a", setting, peer, results)
    for number in range(1, UNCHANGED + 1):
        cost = peer.backup(source, number, freshen=number == 1)
        results.add("a unchanged", peer, cost)
    _restore("a", setting, peer, results, UNCHANGED)


def random_bytes(setting: Setting, peer: Peer, results: Results, turn: int) -> None:
    """(b): one file that cannot be compressed, and back."""
    _first("b", setting, peer, results)
    _restore("b", setting, peer, results, 0)


def system_archive(setting: Setting, peer: Peer, results: Results, turn: int) -> None:
    """(c) and (e): one large file, and back; then the same with 100 small edits."""
    source = _first("c", setting, peer, results)
    _restore("c", setting, peer, results, 0)
    with edited(source, seed=turn):
        results.add("c edited", peer, peer.backup(source, 1))


def million_files(setting: Setting, peer: Peer, results: Results, turn: int) -> None:
    """(f): a million files of 1 KiB, first and unchanged."""
    source = _first("f", setting, peer, results)
    results.add("f unchanged", peer, peer.backup(source, 1))


def releases(setting: Setting, peer: Peer, results: Results, turn: int) -> None:
    """(g): successive releases of one program, each backed up into the same repository."""
    peer.init()
    for number, source in enumerate(sorted(setting.data("g").iterdir())):
        case = "g first" if number == 0 else "g next"
        results.add(case, peer, peer.backup(source, number))
    results.sizes["g first", peer.name] = peer.size()


def _over(letter: str, setting: Setting, peer: Peer, results: Results) -> None:
    """Restore into a folder that holds everything already, and look whether it still does.

    Both have keys that cost the same and little, since that is not what is measured.
    """
    if not peer.verifies_what_is_there:
        return
    source = setting.data(letter)
    peer.place.mkdir(parents=True, exist_ok=True)
    is_theirs = not isinstance(peer, Nightsafe)
    repositories.make(LocalBackend(str(peer.repository)), PASSPHRASE, by_restic=is_theirs)
    peer.backup(source, 0)
    shutil.rmtree(setting.target, ignore_errors=True)
    peer.restore(setting.target, 0)
    for _ in range(UNCHANGED):
        results.add(f"{letter} over", peer, peer.restore(setting.target, 0))
    require_same(source, setting.target / source.name)
    shutil.rmtree(setting.target)


def random_bytes_over(setting: Setting, peer: Peer, results: Results, turn: int) -> None:
    """(h): a restore of one large file over itself."""
    _over("h", setting, peer, results)


def system_over(setting: Setting, peer: Peer, results: Results, turn: int) -> None:
    """(u): a restore of many files over themselves."""
    _over("u", setting, peer, results)


def far_snapshots(setting: Setting, peer: Peer, results: Results, turn: int) -> None:
    """(s): the snapshots of a vault far away, the first time and again."""
    peer.place.mkdir(parents=True)
    if peer.list_command():
        holder = far_vault(setting.scratch)
        for case in ("s first", "s again"):
            results.add(case, peer, list_snapshots(peer, holder))


GROUPS: dict[str, Group] = {
    "a": folder_of_sources,
    "b": random_bytes,
    "c": system_archive,
    "f": million_files,
    "g": releases,
    "h": random_bytes_over,
    "u": system_over,
    "s": far_snapshots,
}


def measure(
    letters: str, setting: Setting, peers: Sequence[Peer], *, repeat: int, results: Results
) -> Results:
    """Run every group with every peer in turn; who begins changes from round to round."""
    for peer in peers:
        _warm_up(setting, peer)
    for letter in letters:
        if letter in DATA:
            setting.data(letter)
        for turn in range(1 if letter == "f" else repeat):
            for place in range(len(peers)):
                peer = peers[(turn + place) % len(peers)]
                GROUPS[letter](setting, peer, results, turn)
                shutil.rmtree(peer.place, ignore_errors=True)  # not made where it has no part
    return results


def _warm_up(setting: Setting, peer: Peer) -> None:
    """Let a program work once on a few files, so that none of it is read from a disk, or compiled,
    when it is measured."""
    peer.init()
    for number in range(2):
        peer.backup(Path(__file__).parent, number)
    peer.restore(setting.target, 1)
    shutil.rmtree(setting.target)
    shutil.rmtree(peer.place)
