# SPDX-License-Identifier: GPL-3.0-or-later
"""Assembles the source of the documentation site, for Sphinx: the project's documents, and the reference of its plugins.

The front page is the README, and the navigation is its table of documents.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = yaml.safe_load((ROOT / "galaxy.yml").read_text())["repository"]
REFERENCE = "collections"
"""Where antsibull-docs writes the reference of roles, modules and plugins."""

SETTINGS = ["galaxy.yml", "CHANGELOG.rst", "docs/docsite/conf.py", "docs/docsite/site.css"]

LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
ROW = re.compile(r"^\| ([^|]+) \| (\[.+) \|$", re.MULTILINE)


def documents() -> dict[str, str]:
    """The documents, by their path in the project."""
    patterns = ("*.md", "docs/*.md", "roles/*/README.md")
    return {str(path.relative_to(ROOT)): path.read_text() for pattern in patterns for path in sorted(ROOT.glob(pattern))}


def linked(text: str, document: str, pages: set[str]) -> str:
    """A document whose links to files that are no pages of the site, such as examples, lead to the repository. Pure."""
    directory = posixpath.dirname(document)

    def lead(found: re.Match[str]) -> str:
        path, anchor = posixpath.normpath(posixpath.join(directory, found[1])), found[2] or ""
        if path in pages:
            return f"]({posixpath.relpath('index.md' if path == 'README.md' else path, directory or '.')}{anchor})"
        return f"]({REPOSITORY}/tree/main/{path}{anchor})"

    return LINK.sub(lead, text)


def navigation(pages: dict[str, str]) -> str:
    """The site's tables of contents, by the table in the README. Pure."""
    section = pages["README.md"].partition("\n## Documentation\n")[2].partition("\n## ")[0]
    groups = {caption: LINK.findall(row) for caption, row in ROW.findall(section)}
    trees = {caption: [path for path, _anchor in links] for caption, links in groups.items()}
    listed = {"README.md", *(path for paths in trees.values() for path in paths)}
    trees["Reference"] = [f"{REFERENCE}/index", *(path for path in pages if path.startswith("roles/"))]
    trees["Project"] = [*(path for path in pages if "/" not in path and path not in listed), "CHANGELOG"]
    parts = [["```{toctree}", ":hidden:", f":caption: {caption}", *paths, "```", ""] for caption, paths in trees.items()]
    return "\n".join(line for part in parts for line in part)


def assemble(target: Path) -> None:
    """Write the source of the site, but for what antsibull-docs adds in ``REFERENCE``."""
    shutil.rmtree(target, ignore_errors=True)
    pages = documents()
    for name, text in pages.items():
        path = target / ("index.md" if name == "README.md" else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(linked(text, name, set(pages)) + (f"\n{navigation(pages)}" if name == "README.md" else ""))
    (target / REFERENCE).mkdir()
    for name in SETTINGS:
        shutil.copy2(ROOT / name, target)
