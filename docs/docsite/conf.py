# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation site, which ``make docs`` builds, see ``tests/docsite.py``."""

from __future__ import annotations

from pathlib import Path

import yaml

SOURCE = Path(__file__).parent  # of the site: a copy of this file is there
GALAXY = yaml.safe_load((SOURCE / "galaxy.yml").read_text())

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
release = GALAXY["version"]
html_title = f"{project} {release}"
html_theme = "furo"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False

extensions = ["myst_parser", "sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
myst_heading_anchors = 4
highlight_language = "none"  # of blocks that do not name one

# Modules and options of Ansible's own. If this cannot be fetched, Sphinx warns, and references to them stay plain text.
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/projects/ansible/latest/", None)}
intersphinx_timeout = 10
