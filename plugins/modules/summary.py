#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action of the same name, which does all of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: summary
short_description: Show what this run did to the apps of a host
version_added: 0.1.0
description:
  - Prints a table of the apps, with the live release, its revision, the URL, whether anything of the app changed, and for how
    many seconds the host worked on it. Prints nothing if there are no apps.
  - Needs a M(wsgi.stack.survey) at the beginning of the run, which found out what was live.
  - It knows what the steps of this run reported by itself. Put it before M(wsgi.stack.failures), which ends the run of the host.
  - Runs on the controller and does not connect to the host.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  apps:
    description: Apps as P(wsgi.stack.apps#lookup) returns them.
    type: list
    elements: dict
    required: true
  port:
    description: The port of nginx for HTTP, for the URLs.
    type: int
    default: 80
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
attributes:
  check_mode:
    description: Shows what the steps found in check mode.
seealso:
  - module: wsgi.stack.failures
"""

EXAMPLES = r"""
- name: Show what was done
  wsgi.stack.summary:
    apps: "{{ lookup('wsgi.stack.apps') }}"
"""

RETURN = r"""
apps:
  description: The rows of the table.
  type: list
  elements: dict
  returned: always
  contains:
    app:
      description: The name of the app.
      type: str
    release:
      description: The number of the live release, or of the one that would be live without check mode. Null if there is none.
      type: int
    revision:
      description: Its revision, such as a commit.
      type: str
    url:
      description: Where visitors find the app. The name of the host in the inventory stands for an app without domains.
      type: str
    changed:
      description: >-
        V(yes), V(no), V(failed), V(staged) if a new release waits for a preview, or V(removed).
      type: str
    seconds:
      description: For how many seconds the host worked on the app, without the time that it waited for other apps.
      type: float
"""
