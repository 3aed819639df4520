# SPDX-License-Identifier: Apache-2.0
"""qnnc schema: the JSON Schema of report.json."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of a build's report.json."""
    import json

    from qnnc.compiler.report import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
