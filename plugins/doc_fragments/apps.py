# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that work on many apps."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  apps:
    description: The apps, as P(wsgi.stack.apps#lookup) returns them.
    type: list
    elements: dict
    required: true
"""

    LIST = r"""
options:
  list:
    description: The name of the list that the apps belong to, see M(wsgi.stack.reservation).
    type: str
    default: default
"""

    ONLY = r"""
options:
  only_apps:
    description: The names of the only apps that this is about. All others stay as they are. Empty for all of the list.
    type: list
    elements: str
    default: []
"""

    JOBS = r"""
options:
  jobs:
    description: How many apps are worked on at the same time. By default the number of processors.
    type: int
"""
