# SPDX-License-Identifier: Apache-2.0
"""Templates in which every text is escaped, and our own files beside them."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qnnc.compiler.errors import printable
from qnnc.compiler.page.text import count, percent, seconds, shape, shortened

LONG = 120
"""Letters of a name that are shown in a table."""


def ours(name: str) -> str:
    """The text of a file of this package."""
    return (files("qnnc.compiler.page") / name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """A text without control characters and changes of direction."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Where templates come from."""
    made = Environment(
        loader=PackageLoader("qnnc.compiler.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= {
        "count": count,
        "percent": percent,
        "seconds": seconds,
        "shape": shape,
        "brief": lambda name: shortened(name, LONG),
    }
    return made


def plain_page(template: str, **values: Any) -> str:
    """A page without a script."""
    style = Markup(ours("page.css"))  # noqa: S704
    text: str = environment().get_template(template).render(style=style, **values)
    return text
