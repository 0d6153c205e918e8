"""`python -m tools.sanitize [TEST ...]`: the extensions in C under AddressSanitizer and UBSan.

Builds them in a folder of its own with both sanitizers of gcc, uses each while leaks are looked
for, and runs the tests that concern them, or those that are named. It needs gcc with libasan and
libubsan (Debian's gcc has both) and OpenSSL's headers. What a sanitizer finds ends the run.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from backup_service.env import BASE_DIR

FLAGS = (
    *("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"),
    "-fno-sanitize-recover=undefined",
)
_LEFT = 23  # the status of a process that leaves something
TESTS = (
    "tests/unit/native",
    *(
        f"tests/unit/agent/{name}"
        for name in (
            *("native/test_memory.py", "native/test_interpreters.py", "chunker", "crypto"),
            *("file_restorer", "file_saver/test_blob_set.py", "file_saver/test_small_files.py"),
            *("fs/test_lstat.py", "packer", "repofile", "archiver/test_tree_check.py"),
        )
    ),
)
# With a bound to its memory a process has no room for what the sanitizers note.
_BOUNDED = (
    "tests/unit/agent/repofile/test_zstd_frames.py::test_a_lack_of_memory_is_not_called_damage"
)
_NOT_HERE = "not journey and not interop and not browser and not hardship"
_OURS = re.compile(r"\b(?:csrc|nightsafe_native)/(?:\w+/)*\w+\.[ch]:")
_LEAK = re.compile(r"^(?:Direct|Indirect) leak .*?(?=^$)", re.MULTILINE | re.DOTALL)
_ADDRESS = {"abort_on_error": 1, "allocator_may_return_null": 1, "strict_string_checks": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, look for leaks, run the tests; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.sanitize", description=__doc__)
    parser.add_argument("test", nargs="*", default=TESTS, help="what pytest is told to run")
    tests = parser.parse_args(arguments).test
    with tempfile.TemporaryDirectory(prefix="nightsafe-sanitize-") as name:
        folder = Path(name)
        build(folder)
        leaks = find_leaks(folder, "-m", "tests.support.agent.native_uses")
        print("\n".join(leaks) or "no leaks of ours", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "-m", _NOT_HERE, f"--deselect={_BOUNDED}", *tests],
            cwd=BASE_DIR,
            env=environment(folder) | {"CI": "true"},  # so that nothing is left out unseen
            check=False,
        )
    return 1 if leaks else done.returncode


def build(folder: Path) -> None:
    """Put both packages into a folder, with extensions that are watched; raise if one fails."""
    for part, package in (("agent", "nightsafe"), ("native", "nightsafe_native")):
        source = BASE_DIR / part / "src" / package
        shutil.copytree(source, folder / package, ignore=shutil.ignore_patterns("*.so"))
        arguments = ["--build-lib", str(folder), "--build-temp", str(folder / "build")]
        subprocess.run(
            [sys.executable, "setup.py", "--quiet", "build_ext", "--force", *arguments],
            cwd=BASE_DIR / part,
            env=os.environ | {"CFLAGS": " ".join(FLAGS), "LDFLAGS": "-fsanitize=address,undefined"},
            check=True,
        )
    # setup.py goes on without an extension that cannot be built; here each has to be there.
    wanted = {path.stem for path in (BASE_DIR / "agent" / "csrc").glob("*.c")} | {"_sha256_mb"}
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    if missing := wanted - {path.name.removesuffix(suffix) for path in folder.rglob("*.so")}:
        raise SystemExit(f"Not built: {', '.join(sorted(missing))}.")


def environment(folder: Path, **options: object) -> dict[str, str]:
    """Return the variables of a Python whose packages in a folder are watched."""
    address = _ADDRESS | {"detect_leaks": 0} | options
    return {
        **os.environ,
        "ASAN_OPTIONS": _said(address),
        "UBSAN_OPTIONS": _said({"print_stacktrace": 1}),
        "LD_PRELOAD": " ".join(library(name) for name in ("libasan.so", "libubsan.so")),
        "PYTHONMALLOC": "malloc",  # or small objects would be part of a few large ones
        "PYTHONPATH": str(folder),
    }


def library(name: str) -> str:
    """Return the path of a library of gcc; raise SystemExit if it is not here."""
    said = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not os.path.isabs(said):
        raise SystemExit(f"gcc has no {name} here.")
    return said


def find_leaks(folder: Path, *command: str) -> list[str]:
    """Run Python; return what is left at the end and was asked for by an extension of ours.

    Python itself leaves much of its own, more in some versions, and its status gives way to that
    of the leaks. So it is run without looking for them first: what fails then is returned.
    """
    done = _run(environment(folder), command)
    if done.returncode:
        return [done.stderr or f"It ended with {done.returncode}."]
    options = {"detect_leaks": 1, "abort_on_error": 0, "exitcode": _LEFT}
    done = _run(environment(folder, fast_unwind_on_malloc=0, **options), command)
    if done.returncode not in {0, _LEFT}:
        return [done.stderr or f"It ended with {done.returncode}."]
    return [leak for leak in _LEAK.findall(f"{done.stderr}\n") if _OURS.search(leak)]


def _run(env: Mapping[str, str], command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        cwd=BASE_DIR,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def _said(options: Mapping[str, object]) -> str:
    return ":".join(f"{name}={value}" for name, value in options.items())


if __name__ == "__main__":
    sys.exit(main())
