"""Lists of patterns and paths in files."""

import argparse
import os
from pathlib import Path

import pytest
from nightsafe.amounts import parse_size
from nightsafe.cli.exclude_options import find_rules
from nightsafe.errors import UsageError
from nightsafe.filters.path_lists import (
    expand,
    expand_glob,
    read_globs,
    read_patterns,
    read_raw,
    read_verbatim,
)

ENVIRON = {"HOME": "/home/me", "X1": "y"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$HOME/x", "/home/me/x"),
        ("${HOME}x", "/home/mex"),
        ("$X1", "y"),
        ("$MISSING/x", "/x"),
        ("a$$b", "a$b"),
        ("costs 5$", "costs 5$"),
        ("$ {HOME}", "$ {HOME}"),
        ("${HOME", "HOME"),
        ("a${}b", "ab"),
        ("$12", "2"),
        ("$*$?x", "x"),
        ("$\u00e4", "$\u00e4"),
        ("${no such}x", "x"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert expand(text, ENVIRON) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_patterns_of_a_file(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "list"
    file.write_text("# comment\n\n  *.o  \r\n$HOME/\u00e4\n!#x\n", encoding=encoding)
    assert read_patterns(str(file), ENVIRON) == ["*.o", "/home/me/\u00e4", "!#x"]


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    """One CR before it belongs to the end; what else Python takes for an end or a blank is text."""
    odd = "a\x0bb\x0cc\x1cd\x85e\u2028f\rg"
    file = tmp_path / "list"
    file.write_bytes(f"{odd}\r\n\x1fx\x1f\n\u3000 y\u00a0\n".encode())
    assert read_patterns(str(file), ENVIRON) == [odd, "\x1fx\x1f", "y"]
    assert read_verbatim(str(file)) == [odd.encode(), b"\x1fx\x1f", "\u3000 y\u00a0".encode()]
    file.write_bytes(b"a\r\r\n")
    assert read_verbatim(str(file)) == [b"a\r"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_in_front_are_no_part_of_a_path(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "list").write_text("/srv/\u00e4\n", encoding=encoding)
    assert read_verbatim(str(tmp_path / "list")) == ["/srv/\u00e4".encode()]


def test_globs_of_a_file(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", ".hidden.txt", "c"):
        (tmp_path / name).touch()
    listed = tmp_path / "list"
    listed.write_text(f"{tmp_path}/*.txt\n# {tmp_path}/c\n{tmp_path}/none*\n{tmp_path}/c\n")
    unmatched: list[str] = []
    names = [".hidden.txt", "a.txt", "b.txt", "c"]
    assert read_globs(str(listed), unmatched.append) == [f"{tmp_path}/{n}".encode() for n in names]
    assert unmatched == [f"{tmp_path}/none*"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[^a]", ["!", "*", "]", "b"]),
        ("[!a]", ["!", "a"]),
        (r"\*", ["*"]),
        (r"[\]x]", ["]"]),
        ("?/x", ["a/x", "b/x"]),
        ("*/", []),
        ("a/", ["a/"]),
        ("./a/../?", ["!", "*", "]", "a", "b"]),
        ("**/x", ["a/x", "b/x"]),
        ("[ab", None),
        ("[a/x]", None),
        ("a\\", None),
        ("z*[", []),  # nothing gets as far as what makes no sense
        ("z*/a\\", []),
        ("?*/z*\\", []),
        ("?*/x*\\", None),
        ("a*[", None),
        ("\udcff*", [b"\xff!"]),
    ],
)
def test_signs_mean_what_they_mean_to_restic(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    expected: list[str | bytes] | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").touch()
    for name in ("*", "]", "!"):
        (tmp_path / name).touch()
    with open(b"\xff!", "w"):
        pass
    if expected is None:
        with pytest.raises(UsageError, match="makes no sense"):
            expand_glob(pattern)
    else:
        assert expand_glob(pattern) == sorted(map(os.fsencode, expected))


def test_verbatim_and_raw(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_bytes(b" a \n#b\n\n*\xff\n")
    assert read_verbatim(str(listed)) == [b" a ", b"#b", b"*\xff"]
    listed.write_bytes(b"new\nline\0b\0")
    assert read_raw(str(listed)) == [b"new\nline", b"b"]
    listed.write_bytes(b"")
    assert read_raw(str(listed)) == []


@pytest.mark.parametrize("data", [b"a\0b", b"a\0\0b\0"])
def test_a_torn_raw_list_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(UsageError):
        read_raw(str(tmp_path / "list"))


def test_a_missing_list_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_patterns(str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("7", 7), ("7b", 7), ("100K", 102400), ("3g", 3 << 30)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == parse_size(text, as_restic=True) == size


@pytest.mark.parametrize("text", ["", "K", "-1", "1.5G", "3X", "3KK", "1 K"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["3MiB", "3kb", " 3", "3 "])
def test_what_restic_does_not_take(text: str) -> None:
    assert parse_size(text) in (3, 3 << 10, 3 << 20)
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text, as_restic=True)


def test_options_come_before_their_files_and_after_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("!b\n")
    args = argparse.Namespace(
        no_default_excludes=False,
        exclude=["b"],
        exclude_file=[str(tmp_path / "list")],
        iexclude=["c"],
        iexclude_file=[str(tmp_path / "list")],
        exclude_if_present=["x:y:z", "n"],
        exclude_caches=True,
        exclude_larger_than=5,
        one_file_system=True,
    )
    rules = find_rules(args, [b"/srv"])
    assert rules.patterns[0] == "/dev"
    assert rules.patterns[-2:] == ("b", "!b")
    assert rules.caseless == ("c", "!b")
    assert [name for name, _ in rules.markers] == [b"x", b"n", b"CACHEDIR.TAG"]
    assert rules.markers[0] == (b"x", b"y:z")
    args.exclude_if_present = [":header"]
    with pytest.raises(UsageError):
        find_rules(args, [b"/srv"])
