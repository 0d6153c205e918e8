"""What `pyproject.toml` cannot say: the small extensions in C, each of which may be missing.

An extension that cannot be built here (no compiler, no headers of OpenSSL) is left out, and the
agent does the same work in Python, slower.
"""

from pathlib import Path

from setuptools import Extension, setup

_LIBRARIES = {name: ["crypto"] for name in ("blob_set", "seal", "small_files")}
_HEADERS = sorted(map(str, Path("csrc/include").glob("*.h")))

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
                "-Wall",
                "-Wextra",
                "-Wno-missing-field-initializers",
            ],
            optional=True,
        )
        for source in sorted(Path("csrc").glob("*.c"))
    ]
)
