"""Patterns: what fits, what may fit below, what makes no sense."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.errors import UsageError
from nightsafe.filters.patterns import Patterns, fold_case


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("*.o", ["/x.o", "/a/b/x.o", "/a/x.o/below"], ["/x.oo", "/o", "/"]),
        ("b", ["/b", "/a/b", "/a/b/c"], ["/ab", "/a/bb"]),
        ("b/c", ["/b/c", "/a/b/c/d"], ["/b", "/b/x/c", "/ab/c"]),
        ("/a/b", ["/a/b", "/a/b/c"], ["/x/a/b", "/a", "/a/bc"]),
        ("/a/*/c", ["/a/b/c", "/a/x/c/d"], ["/a/c", "/a/b/b/c"]),
        ("/a/**/c", ["/a/c", "/a/b/c", "/a/b/b/c/d"], ["/a", "/a/cc", "/c"]),
        ("a/**", ["/a", "/x/a/b"], ["/b"]),
        ("**/a", ["/a", "/x/y/a"], ["/x/b"]),
        ("/**/a/**", ["/x/a/b", "/a/b"], ["/b"]),
        ("*/a*", ["/x/ab", "/x/a/b", "x/a"], ["/a", "/ab/x"]),
        ("/", ["/", "/a", "/a/b"], []),
        ("a/", ["/a", "/a/b"], ["/b"]),
        ("./a//b/../c", ["/a/c"], ["/a/b", "/b/c"]),
        ("?", ["/a", "/\u00e4", "/\u4e2d"], ["/ab"]),
        ("[a-c]x", ["/ax", "/cx"], ["/dx", "/-x"]),
        ("[^a-c]x", ["/dx", "/\u00e4x"], ["/ax", "/x"]),
        ("[!a]", ["/!", "/a"], ["/b"]),
        ("[z-a]", [], ["/z", "/a", "/m"]),
        (r"\*", ["/*"], ["/x"]),
        (r"[\]]", ["/]"], ["/\\"]),
        ("a]", ["/a]"], ["/a"]),
        ("a.c", ["/a.c"], ["/abc"]),
        ("a\nb*", ["/a\nbc"], ["/a"]),
    ],
)
def test_what_fits(pattern: str, fitting: list[str], others: list[str]) -> None:
    patterns = Patterns([pattern])
    assert [path for path in fitting if not patterns.matches(path.encode())] == []
    assert [path for path in others if patterns.matches(path.encode())] == []


def test_the_later_pattern_decides() -> None:
    patterns = Patterns(["*.log", "!keep.log", "/tmp/*"])
    assert patterns.matches(b"/a.log")
    assert not patterns.matches(b"/x/keep.log")
    assert patterns.matches(b"/tmp/keep.log")
    assert not Patterns(["!keep.log", "a"]).matches(b"/keep.log")


def test_letters_of_either_case() -> None:
    patterns = Patterns(["*.JPG", "\u00c4"], ignore_case=True)
    for path in ("/x.jpg", "/x.Jpg", "/\u00e4", "/\u00c4"):
        assert patterns.matches(path.encode())
    assert not Patterns(["*.JPG"]).matches(b"/x.jpg")
    assert fold_case("\u03a3\u0130") == "\u03c3i"


def test_names_that_are_not_utf8() -> None:
    assert Patterns(["a??b"]).matches(b"/a\xff\xfeb")
    assert not Patterns(["a?b"]).matches(b"/a\xff\xfeb")
    assert Patterns(["*"]).matches(b"/\xff")


@pytest.mark.parametrize("text", ["[", "[]", "[^]", "a[b", "[a-]", "[-a]", "\\", "/x/[]a]", "[a\\"])
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="makes no sense"):
        Patterns([text])


def test_no_pattern_fits_nothing() -> None:
    assert not Patterns([""])
    assert not Patterns([]).matches(b"/a")
    assert not Patterns([]).may_match_below(b"/a")


@pytest.mark.parametrize(
    ("patterns", "folder", "expected"),
    [
        (["/a/b/c"], b"/a", True),
        (["/a/b/c"], b"/a/b", True),
        (["/a/b/c"], b"/x", False),
        (["/a/b/c"], b"/a/b/c/d", True),
        (["/a/**/c"], b"/a/x/y", True),
        (["/a/**/c"], b"/x", False),
        (["c"], b"/x", True),
        (["c", "!x"], b"/x", False),
    ],
)
def test_where_to_look_below(patterns: list[str], folder: bytes, expected: bool) -> None:
    assert Patterns(patterns).may_match_below(folder) is expected


PART = st.sampled_from(["a", "b", "ab", "a.b", "*", "a*", "*b", "?", "[ab]", "[^a]", "**", "A"])
PATTERN = st.builds(
    lambda negates, root, parts: negates + root + "/".join(parts),
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(PART, min_size=1, max_size=4),
)
PATH = st.lists(st.sampled_from(["a", "b", "ab", "A", "a.b", "c"]), min_size=1, max_size=5)


@given(st.lists(PATTERN, min_size=1, max_size=4), PATH, st.booleans())
def test_walking_down_finds_what_the_whole_path_tells(
    texts: list[str], parts: list[str], ignore_case: bool
) -> None:
    patterns = Patterns(texts, ignore_case=ignore_case)
    path = b""
    for part in map(str.encode, parts):
        path += b"/" + part
        whole = patterns.matches(path)
        assert patterns.matches_entry(path, part) is whole
        if whole:
            break
        if len(path) > 1 and not any(text.startswith("!") for text in texts):
            below = patterns.matches(path + b"/c")
            assert patterns.may_match_below(path) or not below


def test_many_patterns_are_quick() -> None:
    patterns = Patterns([f"/home/*/.cache/{i}" for i in range(50)] + [f"*.{i}" for i in range(50)])
    begun = time.process_time()
    for i in range(20_000):
        patterns.matches_entry(b"/home/me/project/src/file-%d.c" % i, b"file-%d.c" % i)
    assert time.process_time() - begun < 2


NAMES = st.lists(st.text("ab.\xff", min_size=1, max_size=4), max_size=6)
SOME = st.lists(
    st.sampled_from(["a", "*.b", "a?", "/x/b*", "[^a]b", "a/**", "!ab", "x/a", "**", "[a-b]*"])
)


@given(SOME, NAMES)
def test_a_whole_folder_is_asked_about_at_once(patterns: list[str], names: list[str]) -> None:
    """Sure means sure; and of plain patterns it is sure whenever none fits or may."""
    asked = Patterns(patterns)
    encoded = [name.encode("utf-8", "surrogateescape") for name in names]
    fits = [asked.matches_entry(b"/x/" + name, name) for name in encoded]
    if asked.matches_none(b"\0".join(encoded)):
        assert not any(fits)
    elif set(patterns) <= {"a", "*.b", "a?", "[^a]b", "[a-b]*"} and patterns and names:
        assert any(fits)
