"""What `pyproject.toml` cannot say: the extension in C, which may be missing."""

import os
import sysconfig

from setuptools import Extension, setup

_HEADERS = "../agent/csrc/include"
_WARNINGS = ("all", "extra", "missing-prototypes", "shadow", "strict-prototypes", "vla")

setup(
    ext_modules=[
        Extension(
            "nightsafe_native._sha256_mb",
            ["src/nightsafe_native/_sha256_mb.c"],
            depends=[f"{_HEADERS}/module.h", f"{_HEADERS}/sha256_mb.h"],
            include_dirs=[_HEADERS],
            extra_compile_args=[
                "-O3",
                "-std=c11",
                *(f"-W{name}" for name in _WARNINGS),
                *(["-Werror"] if os.environ.get("CI") else []),  # it is built from a checkout only
                # Of Python's own headers nothing is said: they are not ours.
                f"-isystem{sysconfig.get_path('include')}",
            ],
            optional=True,
        )
    ]
)
