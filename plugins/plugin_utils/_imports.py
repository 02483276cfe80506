# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The collection's filters and lookups, imported once a run."""

from __future__ import annotations

import importlib
import pkgutil

from ansible_collections.wsgi.stack.plugins import filter as filters
from ansible_collections.wsgi.stack.plugins import lookup as lookups


def import_all() -> None:
    """Import every filter and lookup of the collection, for an action plugin to call at its own import.

    Ansible imports an action plugin before it forks the workers of the task, and keeps it. Filters and lookups it imports in the
    workers, where they are gone with each task's end.
    """
    for package in (filters, lookups):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
