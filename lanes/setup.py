"""What `pyproject.toml` cannot say: the extension in C, which may be missing."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "nightsafe_lanes._lanes",
            ["src/nightsafe_lanes/_lanes.c"],
            depends=["../agent/csrc/include/sha256_mb.h"],
            include_dirs=["../agent/csrc/include"],
            extra_compile_args=[
                "-O3",
                "-std=c11",
                "-Wall",
                "-Wextra",
                "-Wno-missing-field-initializers",
                "-Wno-unused-function",
            ],
            optional=True,
        )
    ]
)
