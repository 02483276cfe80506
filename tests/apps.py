# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolved apps for unit tests, made the way that plays make them: every key is there, with its real default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve


def resolved(name: str = "shop", settings: Mapping[str, Any] | None = None, **keys: Any) -> App:
    """An app with these keys.

    :param settings: the arguments of ``apps._resolve.resolve`` beside the list
    """
    given = {"name": name, "source": {"package": name}, "entry_point": f"{name}:app", **keys}
    (app,) = _resolve.resolve([given], **(settings or {}))
    return app
