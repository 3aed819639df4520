# SPDX-License-Identifier: Apache-2.0
"""What MkDocs has to know of this project: pages that lie beside the code (nodes/, benchmarks/,
CONTRIBUTING.md, …) are part of the site, and links between files of the checkout are followed.

A link to a file that is not there, or to one that is neither page nor picture nor text, is a
warning, hence an error in a strict build.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
LOG = get_plugin_logger("links")
BESIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "nodes/**/*.md", "benchmarks/**/*.md")
ELSEWHERE = {"README.md": "overview.md", "docs/site/reference.md": "reference.md"}
BESIDE_TOO = (*ELSEWHERE, "examples/*/README.md", "examples/plugins/*/README.md")
FIGURES = (".svg", ".png")
TEXTS = (".ipynb", ".py", ".yaml", ".sh", "")  # the last for LICENSE
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
HEADING = re.compile(r"^#+ qnnc .*$", re.MULTILINE)
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def uri_of(path: str) -> str:
    """Where a file of the checkout lies in the site's sources."""
    return ELSEWHERE.get(path, path.removeprefix("docs/"))


def path_of(uri: str) -> str:
    """The other way: the file of the checkout."""
    for path, place in ELSEWHERE.items():
        if place == uri:
            return path
    return f"docs/{uri}" if (ROOT / "docs" / uri).is_file() else uri


def add(files: Files, config: Any, path: str) -> None:
    """Take a file of the checkout into the site, once."""
    uri = uri_of(path)
    if files.get_file_from_path(uri) is None:
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/, and what all pages link to."""
    for pattern in (*BESIDE, *BESIDE_TOO):
        for found in sorted(ROOT.glob(pattern)):
            add(files, config, found.relative_to(ROOT).as_posix())
    for file in list(files.documentation_pages()):
        path = path_of(file.src_uri)
        for _, link, _ in LINK.findall(FENCE.sub("", file.content_string)):
            target = resolved(path, link)
            known = Path(target or "x.none").suffix in (*FIGURES, *TEXTS)
            if target is not None and known and (ROOT / target).is_file():
                add(files, config, target)
    config["nav"] = filled(config["nav"], files)
    return files


def filled(nav: Any, files: Files) -> Any:
    """The navigation, with all pages of a folder where it names one (`nodes/`)."""
    if isinstance(nav, list):
        return [filled(entry, files) for entry in nav]
    if isinstance(nav, dict):
        return {title: filled(entry, files) for title, entry in nav.items()}
    if not str(nav).endswith("/"):
        return nav
    return sorted(
        file.src_uri for file in files.documentation_pages() if file.src_uri.startswith(nav)
    )


def resolved(path: str, link: str) -> str | None:
    """The file of the checkout that a link in another one is to; None for other addresses."""
    link = link.partition("#")[0]
    if not link or ":" in link or link.startswith("/"):
        return None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    if (ROOT / target).is_dir() and (ROOT / target / "README.md").is_file():
        target += "/README.md"
    return target


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Links as the site has them. A folder without a page of its own is only named."""
    uri = page.file.src_uri
    path = path_of(uri)

    def replaced(match: re.Match[str]) -> str:
        before, link, after = match.groups()
        target = resolved(path, link)
        if target is None:
            return match[0]
        if files.get_file_from_path(uri_of(target)) is None:
            if not (ROOT / target).is_dir():
                LOG.warning(f"{path} links to {link}, which is not part of the site")
            return f"{before}#{after}"
        anchor = link.partition("#")[2]
        here = os.path.relpath(uri_of(target), posixpath.dirname(uri) or ".")
        return f"{before}{here}{'#' + anchor if anchor else ''}{after}"

    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [LINK.sub(replaced, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    text = "".join([*parts, LINK.sub(replaced, markdown[end:])])
    # an optional argument of a command is not a reference
    return HEADING.sub(lambda heading: heading[0].replace("[", r"\["), text)
