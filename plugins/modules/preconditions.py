#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action of the same name, which does all of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preconditions
short_description: Refuse a mistake in the inventory before any host is touched
version_added: 0.1.0
description:
  - Fails with one sentence if the list C(wsgi_apps) has a mistake, if a variable of a role of this collection has a value of
    another type, if ansible-core is too old, or if the strategy of the play does not suit the C(release_commands) of an app.
  - With C(any_errors_fatal) the sentence is shown once, by the first host that it concerns; the other hosts skip the task, and
    the play ends for all of them.
  - Runs on the controller and does not connect to the host.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  app:
    description: The name of an app that has to be in the list.
    type: str
  check_apps:
    description: Check the list of apps and the variables of the roles. The shared variables are checked in any case.
    type: bool
    default: true
  app_roles:
    description:
      - The roles of app servers that follow. If given, fails if the tags of the run leave out a step that has something to do,
        and that a chosen one needs. M(wsgi.stack.survey) has to be run before.
      - For the playbook C(wsgi.stack.site), whose tags these are.
    type: list
    elements: str
  problems:
    description: Other reasons to fail, one sentence each. Those that are empty are none.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
"""

EXAMPLES = r"""
- name: Fail if the list of apps has a mistake
  wsgi.stack.preconditions:
  any_errors_fatal: true
"""

RETURN = r"""
steps:
  description:
    - The tags of the playbook C(wsgi.stack.site) whose steps the run is about; none if its tags are those of other plays.
  type: list
  elements: str
  returned: success
msg:
  description: What is wrong, and what to do.
  type: str
  returned: on failure
"""
