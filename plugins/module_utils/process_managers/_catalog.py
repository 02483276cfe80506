# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Read all that starts servers on this host."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import (
    _starter_programs,
    _starter_units,
    _starter_vassals,
)
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starter_programs import Supervisor
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Catalog


@dataclass(frozen=True)
class HostCatalog:
    """What starts servers on a host, and what its supervisord says."""

    catalog: Catalog = field(default_factory=Catalog)
    supervisor: Supervisor = field(default_factory=Supervisor)


def read() -> HostCatalog:
    """Read the files of systemd, supervisor and uWSGI, and ask supervisord. It changes nothing and runs nothing."""
    units, templates = _starter_units.read()
    supervisor = _starter_programs.read()
    vassals = _starter_vassals.read(units)
    programs = _starter_programs.starters(supervisor)
    users = _starter_units.read_of_users()
    starters = (*units, *programs, *vassals, *users)
    return HostCatalog(Catalog(starters, tuple(templates)), supervisor)
