#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a command in the live release of an app."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_command
short_description: Run a command in the live release of a WSGI app
version_added: 0.1.0
description:
  - Runs a shell command as C(release_commands) are run. It runs as the app's user, in the app's sandbox, in the directory of the
    live release, with its virtual environment and its variables.
  - Where the command waits for input, it reads the end of a file. Nothing that it starts outlives it.
options:
  app:
    description: A resolved app, as P(wsgi.stack.apps#lookup) returns it.
    type: dict
    required: true
  command:
    description: The command.
    type: str
    required: true
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps.list
attributes:
  check_mode:
    description: The command is not run.
  diff_mode:
    description: There is no difference to show.
    support: none
notes:
  - With the callback plugin C(default), RV(report) is printed.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Create an administrator
  wsgi.stack.run_command:
    app: "{{ lookup('wsgi.stack.apps') | selectattr('name', 'eq', 'shop') | first }}"
    command: python manage.py createsuperuser --noinput
  run_once: true
"""

RETURN = r"""
release:
  description: The number of the live release.
  type: int
  returned: always
code:
  description: The exit code of the command. The module fails if it is not 0.
  type: int
  returned: not in check mode
seconds:
  description: How long it took.
  type: float
  returned: not in check mode
report:
  description: The lines that it printed, without escape sequences. Of more than 512 KiB the middle is left out.
  type: list
  elements: str
  returned: not in check mode
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.release._run_command import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
