# SPDX-License-Identifier: Apache-2.0
"""report.html: a build as a page that people read."""

from qnnc.compiler.page.notebook import notebook
from qnnc.compiler.page.page import PAGE, page

__all__ = ["PAGE", "notebook", "page"]
