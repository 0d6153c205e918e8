"""Lists of patterns and paths in files."""

import argparse
from pathlib import Path

import pytest
from nightsafe.cli.excludes import find_rules, parse_size
from nightsafe.errors import UsageError
from nightsafe.pathlists import expand, read_globs, read_patterns, read_raw, read_verbatim

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
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert expand(text, ENVIRON) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_patterns_of_a_file(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "list"
    file.write_text("# comment\n\n  *.o  \r\n$HOME/\u00e4\n!#x\n", encoding=encoding)
    assert read_patterns(str(file), ENVIRON) == ["*.o", "/home/me/\u00e4", "!#x"]


def test_globs_of_a_file(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", ".hidden.txt", "c"):
        (tmp_path / name).touch()
    listed = tmp_path / "list"
    listed.write_text(f"{tmp_path}/*.txt\n# {tmp_path}/c\n{tmp_path}/none*\n")
    warnings: list[str] = []
    names = [".hidden.txt", "a.txt", "b.txt"]
    assert read_globs(str(listed), warnings.append) == [f"{tmp_path}/{n}".encode() for n in names]
    assert len(warnings) == 1
    assert "none*" in warnings[0]


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
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "K", "-1", "1.5G", "3X", "3KK", "1 K"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_size(text)


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
