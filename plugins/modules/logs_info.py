#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show what WSGI apps have logged."""

from __future__ import annotations

DOCUMENTATION = r"""
module: logs_info
short_description: Show the last lines of everything that WSGI apps write
version_added: 0.1.0
description:
  - Reads the journal of the apps' slots, workers and timers, the logs of supervisor's programs, and nginx's errors about the
    apps. Escape sequences are removed.
options:
  lines:
    description: The number of lines of each source.
    type: int
    default: 50
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.list
seealso:
  - module: wsgi.stack.status_info
notes:
  - With the callback plugin C(default), RV(report) is printed.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Show what an app has logged
  wsgi.stack.logs_info:
    apps: "{{ lookup('wsgi.stack.apps') | selectattr('name', 'eq', 'shop') }}"
    lines: 200
"""

RETURN = r"""
logs:
  description: The sources of each app that have something, by the name of the app.
  type: dict
  returned: always
  contains:
    source:
      description: The units, the program of the Emperor, or the file.
      type: str
    lines:
      description: Its last lines.
      type: list
      elements: str
  sample: {shop: [{source: wsgi-blue@shop.service, lines: ['2026-11-20T19:51:21+0000 web1 serve[812]: spawned uWSGI worker 1']}]}
report:
  description: The same as lines of one text.
  type: list
  elements: str
  returned: always
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.status._logs import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
