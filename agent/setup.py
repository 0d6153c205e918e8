"""What `pyproject.toml` cannot say: the small extensions in C, each of which may be missing.

An extension that cannot be built here (no compiler, no headers of OpenSSL) is left out, and the
agent does the same work in Python, slower.
"""

from pathlib import Path

from setuptools import Extension, setup

_LIBRARIES = {name: ["crypto"] for name in ("_gather", "_known", "_seal")}
_SOURCES = sorted(Path("src/nightsafe").glob("_*.c"))

setup(
    ext_modules=[
        Extension(
            f"nightsafe.{source.stem}",
            [str(source)],
            depends=sorted(map(str, Path("src/nightsafe").glob("*.h"))),
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
        for source in _SOURCES
    ]
)
