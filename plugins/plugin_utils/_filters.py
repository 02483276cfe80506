# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's filters, imported once a run."""

from __future__ import annotations

import importlib
import pkgutil

from ansible_collections.wsgi.stack.plugins import filter as filters


def import_all() -> None:
    """Import every filter of the collection, for an action plugin to call at its own import.

    Ansible imports an action plugin before it forks the workers of the task, and keeps it. Filters it imports in the workers,
    where they are gone with each task's end, and all of a collection's for one that is asked for.
    """
    for found in pkgutil.iter_modules(filters.__path__, f"{filters.__name__}."):
        importlib.import_module(found.name)
