"""Nothing of the extensions stays behind: neither what calls make, nor types, nor modules."""

import ctypes
import gc
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.agent.extensions import NAMES, needs
from tests.support.agent.native_uses import KEY, USES, load

ROUNDS = 200
EVERY = [pytest.param(name, marks=needs(name)) for name in NAMES]
TYPES = {
    "blob_set": "Table",
    "fastcdc": "Cutter",
    "rabin": "Cutter",
    "seal": "Sealer",
    "small_files": "Gatherer",
    "stat": "Status",
}
WITH_TYPES = [pytest.param(name, marks=needs(name)) for name in TYPES]


class Reference(ctypes.Structure):
    """What an extension's capsule points to, as `status.h` has it."""

    _fields_ = (
        ("version", ctypes.c_size_t),
        ("status_size", ctypes.c_size_t),
        ("type", ctypes.py_object),
    )


class Held(bytearray):
    """Memory that can refer to other objects."""

    other: object


def another(name: str) -> ModuleType:
    """Return an extension's module once more, beside the one that everybody has."""
    given = load(name)
    spec = spec_from_file_location(given.__name__, given.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def tracing() -> Iterator[Callable[[], int]]:
    """Give the count of bytes that Python holds at a time."""
    is_first = not tracemalloc.is_tracing()
    if is_first:
        tracemalloc.start()
    try:
        yield lambda: gc.collect() * 0 + tracemalloc.get_traced_memory()[0]
    finally:
        if is_first:
            tracemalloc.stop()


def test_every_extension_is_used() -> None:
    assert sorted(USES) == sorted(["_sha256_mb", *NAMES])


@pytest.mark.parametrize("name", EVERY)
def test_calls_leave_nothing_behind(name: str, tmp_path: Path) -> None:
    """Not even those that are refused: an object for each call would be 16 bytes at least."""
    module, use = load(name), USES[name]
    grown = [16 * ROUNDS]
    with tracing() as held:
        # Python keeps some things for later, but not without end.
        while grown[-1] >= 16 * ROUNDS and len(grown) < 12:
            before = held()
            for _ in range(ROUNDS):
                use(module, str(tmp_path))
            grown.append(held() - before)
    assert grown[-1] < 16 * ROUNDS, grown


@pytest.mark.parametrize("name", EVERY)
def test_modules_leave_nothing_behind(name: str, tmp_path: Path) -> None:
    """Two at a time have nothing in common, and one that nobody has any more is gone."""
    module = another(name)
    assert module is not load(name)
    USES[name](module, str(tmp_path))
    gone = [weakref.ref(module)]
    if name in TYPES and name != "stat":
        gone.append(weakref.ref(getattr(module, TYPES[name])))
        assert gone[-1]() is not getattr(load(name), TYPES[name])
    del module
    gc.collect()
    assert [one() for one in gone] == [None] * len(gone)


@needs("stat")
def test_an_object_keeps_its_type_and_module_alive() -> None:
    module = another("stat")
    (status,) = module.look([b"/"])
    gone = weakref.ref(type(status))
    del module
    gc.collect()
    assert gone() is type(status)
    assert status.st_mode == Path("/").stat().st_mode
    del status
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("name", WITH_TYPES)
def test_types_cannot_be_changed(name: str) -> None:
    kind = load(name)
    made = getattr(kind, TYPES[name], None) or type(kind.look([b"/"])[0])
    assert (made.__module__, made.__name__) == (kind.__name__, TYPES[name])
    with pytest.raises(TypeError, match="immutable"):
        made.more = 1
    with pytest.raises(TypeError, match="not an acceptable base"):
        type("More", (made,), {})


@needs("blob_set")
def test_a_table_in_a_circle_is_collected() -> None:
    held = Held(8 + 16 * 12)
    held.other = load("blob_set").Table(held, bytes(32), 8, 4, 1)
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None


@needs("small_files")
@pytest.mark.parametrize("place", range(8))
def test_a_gatherer_in_a_circle_is_collected(place: int) -> None:
    """Whichever of what it was given refers to it."""
    held = Held(100)
    given: list[Any] = [bytearray(100), *[print] * 7]
    given[place] = held if place == 0 else held.copy
    held.other = load("small_files").Gatherer(*given, True)
    gone = weakref.ref(held)
    del held, given
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("name", [one for one in WITH_TYPES if one.values != ("stat",)])
def test_nothing_is_half_made(name: str) -> None:
    """What was not given all that it needs is not there, rather than there and unsafe."""
    kind = getattr(load(name), TYPES[name])
    with pytest.raises(TypeError, match="argument"):
        kind.__new__(kind)


@needs("seal")
def test_a_sealer_keeps_its_key() -> None:
    sealer = load("seal").Sealer(KEY)
    sealed = sealer.seal(b"text")
    sealer.__init__(None)
    assert sealer.open(sealed) == b"text"


@needs("small_files")
@pytest.mark.parametrize(("version", "size"), [(2, 0), (1, 8), (0, 0)])
def test_a_status_of_another_version_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: int, size: int
) -> None:
    name = b"nightsafe._native.stat._C_API"
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
    )
    type_of = type(load("stat").look([b"/"])[0])
    other = Reference(version, type_of.__basicsize__ + size, type_of)
    fake = ModuleType("nightsafe._native.stat")
    capsule = new(ctypes.addressof(other), name, None)
    fake._C_API = capsule  # type: ignore[attr-defined]  # noqa: SLF001, its name in C
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    with pytest.raises(ImportError, match="of another version"):
        another("small_files")
    other.version, other.status_size = 1, type_of.__basicsize__
    assert another("small_files").Gatherer is not None
