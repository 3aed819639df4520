# SPDX-License-Identifier: Apache-2.0
"""A network from "package.module:factory". The module is the user's own code: it is imported, and
finds its weights itself."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qnnc.compiler.errors import ModelError, OptionError, QnncError
from qnnc.compiler.plugins import close_matches


def make_module(source: str) -> Any:
    """What the factory gives, or the attribute itself if it cannot be called without arguments
    because it is a network already.

    Raises:
        OptionError: no such module or attribute.
        ModelError: the module or the factory raises.
    """
    name, attribute = source.split(":")
    with _current_folder_first():
        module = _import(name)
    found = getattr(module, attribute, None)
    if found is None:
        known = [n for n in vars(module) if not n.startswith("_")]
        raise OptionError(f"module {name!r} has no {attribute!r}{close_matches(attribute, known)}")
    if not callable(found) or hasattr(found, "state_dict"):
        return found
    try:
        return found()
    except QnncError:
        raise
    except Exception as error:
        raise ModelError(f"{source} raises {_described(error)}") from error


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise OptionError(
                f"there is no module {name!r} in the current folder or among the installed ones"
            ) from error
        raise ModelError(f"importing {name!r} raises {_described(error)}") from error
    except Exception as error:
        raise ModelError(f"importing {name!r} raises {_described(error)}") from error


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """As `python -m` does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
