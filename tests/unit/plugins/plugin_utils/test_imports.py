# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters and lookups that are imported before Ansible forks."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from ansible_collections.wsgi.stack.plugins import filter as filters
from ansible_collections.wsgi.stack.plugins import lookup as lookups

FIRST_ACTION = "ansible_collections.wsgi.stack.plugins.action.packages"


def test_the_action_that_every_role_begins_with_brings_all_filters_and_lookups(monkeypatch):
    names = [
        found.name for package in (filters, lookups) for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ]
    assert {f"{filters.__name__}.nginx_files", f"{lookups.__name__}.apps"} < set(names)
    for name in [FIRST_ACTION, *names]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.import_module(FIRST_ACTION)
    assert [name for name in names if name not in sys.modules] == []
