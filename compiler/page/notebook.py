# SPDX-License-Identifier: Apache-2.0
"""A report as a notebook shows it: figures and layers, and the whole page folded away."""

from __future__ import annotations

import html

from markupsafe import Markup

from qnnc.compiler.page.environment import environment
from qnnc.compiler.page.page import page
from qnnc.compiler.page.sections import figures
from qnnc.compiler.report import Report, set_view


def notebook(report: Report) -> str:
    """HTML without a script of its own; the page is in a frame that can reach nothing outside."""
    frame = html.escape(page(report), quote=True)
    text: str = (
        environment()
        .get_template("notebook.html.j2")
        .render(
            report=report,
            figures=figures(report),
            frame=Markup(frame),  # noqa: S704  # escaped above
        )
    )
    return text


set_view(notebook)
