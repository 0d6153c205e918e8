"""What `pyproject.toml` cannot say: the small extensions in C, each of which may be missing.

An extension that cannot be built here (no compiler, no headers of OpenSSL) is left out, and the
agent does the same work in Python, slower.
"""

import os
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

_LIBRARIES = {name: ["crypto"] for name in ("blob_set", "seal", "small_files")}
_HEADERS = sorted(map(str, Path("csrc/include").glob("*.h")))
_WARNINGS = ("all", "extra", "missing-prototypes", "shadow", "strict-prototypes", "vla")
# Only in our own CI: who installs the agent in theirs has a compiler that may warn of more, and
# should not lose an extension for it.
_IS_STRICT = bool(os.environ.get("CI")) and Path("../.ci/run").exists()

setup(
    ext_modules=[
        Extension(
            f"nightsafe._native.{source.stem}",
            [str(source)],
            depends=_HEADERS,
            include_dirs=["csrc/include"],
            libraries=_LIBRARIES.get(source.stem, []),
            extra_compile_args=[
                "-O3",
                "-std=c11",
                *(f"-W{name}" for name in _WARNINGS),
                *(["-Werror"] if _IS_STRICT else []),
                # Of Python's own headers nothing is said: they are not ours.
                f"-isystem{sysconfig.get_path('include')}",
            ],
            optional=True,
        )
        for source in sorted(Path("csrc").glob("*.c"))
    ]
)
