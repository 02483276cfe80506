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

    JOBS = r"""
options:
  jobs:
    description: How many apps are worked on at the same time. By default the number of processors.
    type: int
"""
