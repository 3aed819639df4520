# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md has every command and option, and --help says what is for users."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from qnnc.cli.main import app
from tests.conftest import ROOT

DOCS = ROOT / "docs"
COMMANDS: dict[str, Any] = getattr(typer.main.get_command(app), "commands")  # noqa: B009
HEADING = re.compile(r"^## (?=qnnc )", re.MULTILINE)
LINK = re.compile(r"\]\(([\w/-]+\.md)")


def section(name: str) -> str:
    """What cli.md says of a command, its heading included."""
    parts = HEADING.split((DOCS / "cli.md").read_text(encoding="utf-8"))[1:]
    found = [p for p in parts if re.search(rf"qnnc {name}(?![\w-])", p.splitlines()[0])]
    assert len(found) == 1, f"{len(found)} headings for qnnc {name}"
    return found[0].split("\n## ")[0]


def names(command: Any) -> set[str]:
    """The long options of a command."""
    return {o for p in command.params for o in p.opts if o.startswith("--")} - {"--help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    """In the command's section, in a page that it links to, or as an option of `build`."""
    text = section(name)
    texts = [text, *((DOCS / link).read_text(encoding="utf-8") for link in LINK.findall(text))]
    known = {option for t in texts for option in re.findall(r"--[a-z][a-z-]*", t)}
    shared = names(COMMANDS["build"]) if name != "build" else set()
    assert names(COMMANDS[name]) - shared - known == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_for_users(name: str) -> None:
    text = COMMANDS[name].help
    assert text
    assert not re.search(r"^\s*(Args|Raises|Returns):", text, re.MULTILINE)
