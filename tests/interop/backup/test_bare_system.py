"""The agent on a system that has only what Windows has, too; stock restic says if it is right.

What is missing is taken away from a Python on Linux, so the files are those of Linux still: this
shows that nothing is called that is not everywhere, and what becomes of trees without it.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nightsafe.backend.local import LocalBackend
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node, encode_node, go_mode, node_type
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import walk

from tests.support.agent.stored_texts import tree_of
from tests.support.agent.trees import fingerprint, make_mixed_tree
from tests.support.programs import program

pytestmark = pytest.mark.interop
PASSPHRASE = "correct horse battery staple"
AGENT = Path(sys.executable).with_name("nightsafe")
BARE = Path(__file__).with_name("bare")


@dataclass
class Computer:
    """The nightsafe command on a bare system, with a repository in a folder."""

    home: Path
    said: list[bytes] = field(default_factory=list)

    @property
    def repository(self) -> Path:
        return self.home / "repository"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PYTHONPATH": str(BARE),
            "NIGHTSAFE_TEST_STARTS": str(self.home / "starts"),
            "NIGHTSAFE_REPOSITORY": str(self.repository),
            "NIGHTSAFE_PASSWORD": PASSPHRASE,
            "NIGHTSAFE_CONFIG_DIR": str(self.home / "config"),
            "NIGHTSAFE_CACHE_DIR": str(self.home / "cache"),
            "NIGHTSAFE_DEBUG": "1",
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD": PASSPHRASE,
            "USERNAME": "me",
        }

    def run(self, *arguments: str, status: int = 0) -> dict[str, object]:
        """Run a command, and return the last object that it prints."""
        (self.home / "starts").unlink(missing_ok=True)
        command = [str(AGENT), "--json", "--no-progress", *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=self.home.parent, capture_output=True, check=False
        )
        assert done.returncode == status, done.stderr.decode()
        self.said = lines = done.stdout.splitlines()
        return dict(json.loads(lines[-1])) if lines and lines[-1].startswith(b"{") else {}

    @property
    def starts(self) -> int:
        """How many processes the last command was."""
        return len(set((self.home / "starts").read_text().split()))

    def restic(self, *arguments: str) -> str:
        command = [program("restic"), "--no-cache", *arguments]
        environment = {k: v for k, v in self.environment.items() if k != "PYTHONPATH"}
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return os.fsdecode(done.stdout)

    def open(self) -> Repository:
        repository = Repository.open(LocalBackend(str(self.repository)), PASSPHRASE)
        repository.load_index()
        return repository


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    program("restic")
    computer = Computer(tmp_path / "home")
    computer.home.mkdir()
    computer.run("init")
    return computer


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "mixed"
    make_mixed_tree(source)
    for number in range(20):
        (source / f"much-{number:02}").write_bytes(os.urandom(700_000))
    return source


def expected_tree(
    folder: bytes, stored: dict[bytes, Node], path: bytes = b"", names: tuple[bytes, ...] = ()
) -> bytes:
    """What a tree must be where nobody has a name and files have no attributes; contents as
    they are stored, which a restore tells."""
    texts = []
    for name in names or sorted(os.listdir(folder)):
        status = os.lstat(os.path.join(folder, name))
        kind, inner = node_type(status.st_mode), path + b"/" + name
        is_file, is_link = kind == "file", kind == "symlink"
        node = Node(
            name=name,
            type=kind,
            mode=go_mode(status.st_mode),
            mtime=status.st_mtime_ns,
            atime=status.st_mtime_ns,
            ctime=status.st_ctime_ns,
            uid=status.st_uid,
            gid=status.st_gid,
            inode=status.st_ino,
            device_id=status.st_dev,
            size=status.st_size if is_file else 0,
            links=status.st_nlink if is_file or is_link else 0,
            link_target=os.readlink(os.path.join(folder, name)) if is_link else b"",
            content=stored[inner].content if is_file else None,
        )
        if kind == "dir":
            tree = expected_tree(os.path.join(folder, name), stored, inner)
            node = node._replace(subtree=stored[inner].subtree or b"")
            assert tree == stored_text(stored[inner].subtree or b""), inner
        texts.append(encode_node(node))
    return tree_of(texts)


_texts: dict[bytes, bytes] = {}


def stored_text(tree: bytes) -> bytes:
    return _texts[tree]


@pytest.mark.any_restic
def test_backups_and_restores_are_whole(computer: Computer, source: Path, tmp_path: Path) -> None:
    summary = computer.run("backup", "--workers", "2", source.name)
    assert computer.starts >= 3, "the workers were started, not forked"
    assert summary["complete"] is True
    repository = computer.open()
    reader = BlobReader(repository)
    (snapshot,) = repository.load_snapshots().sound
    assert (snapshot.username, snapshot.uid, snapshot.gid) == ("me", 0, 0)
    stored = {found.path: found.node for found in walk(reader, snapshot.tree)}
    trees = [snapshot.tree, *(node.subtree for node in stored.values() if node.subtree is not None)]
    _texts.clear()
    _texts.update({each: reader.load(BlobKind.TREE, each) for each in trees})
    expected = expected_tree(os.fsencode(tmp_path), stored, names=(b"mixed",))
    assert hashlib.sha256(expected).hexdigest() == summary["tree_id"]
    computer.restic("check", "--read-data")
    assert "/mixed/small.txt" in computer.restic("ls", "latest")

    again = computer.run("backup", "--workers", "2", source.name)
    assert (again["files_new"], again["files_changed"]) == (0, 0)
    assert again["tree_id"] == summary["tree_id"]
    assert not computer.run("check", "--read-data")["errors"]

    for workers in ("0", "2"):
        target = tmp_path / f"target-{workers}"
        report = computer.run(
            *("restore", "latest", "--target", str(target), "--verify", "--workers", workers),
            status=3,  # for a fifo cannot be made
        )
        assert (report["complete"], report["verified"] != 0) == (False, True)
        assert failures(computer) == ["/mixed/fifo"]
        assert (computer.starts >= 3) == (workers == "2")
        assert plain(target / "mixed") == plain(source)
    computer.restic("restore", "latest", "--target", str(tmp_path / "theirs"))
    assert plain(tmp_path / "theirs" / "mixed") == plain(source)


def failures(computer: Computer) -> list[str]:
    """What the last command could not restore."""
    events = map(json.loads, computer.said)
    return [event["path"] for event in events if event.get("kind") == "failed"]


def plain(folder: Path) -> dict[bytes, tuple[object, ...]]:
    """What is below a folder, but for what such a system cannot know of it or make."""
    kept: dict[bytes, tuple[object, ...]] = {}
    for name, (mode, time, content, same_as, _, device, owner) in fingerprint(folder).items():
        if name == b"fifo":
            continue
        is_link = name in (b"link", b"dangling")
        kept[name] = (mode, 0 if is_link else time, content, same_as, device, owner)
    return kept
