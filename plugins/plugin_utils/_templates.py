# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Templates on the controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible import template


def read(loader: Any, path: str) -> str:
    """The text of a template, decrypted if ansible-vault has encrypted it."""
    # Not imported by its name: an ansible-core that is too old has none, and is refused before this is called.
    return template.trust_as_template(loader.get_text_file_contents(path))


def render(
    templar: template.Templar, text: str, searchpath: Sequence[str], variables: Mapping[str, Any], **overrides: bool
) -> str:
    """What a template makes of some variables. What comes out is never a template itself: a ``{{`` in a value stays as it is.

    :param text: as ``read`` gives it
    :param searchpath: where ``include`` and ``import`` look
    :param overrides: of Jinja's settings
    """
    within = templar.copy_with_new_env(searchpath=list(searchpath), available_variables=dict(variables))
    rendered = within.template(text, escape_backslashes=False, overrides={"trim_blocks": True, **overrides})
    return "" if rendered is None else str(rendered)
