# SPDX-License-Identifier: Apache-2.0
"""Maps the folders at the root to the namespace package `qnnc`; all else is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ("compiler", "frontends", "backends", "explore", "cli")

setup(
    package_dir={f"qnnc.{folder}": folder for folder in FOLDERS},
    packages=[
        name
        for folder in FOLDERS
        for name in [f"qnnc.{folder}", *(f"qnnc.{folder}.{p}" for p in find_packages(folder))]
    ],
)
