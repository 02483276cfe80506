#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action of the same name, which does all of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: failures
short_description: Fail the host for every app whose step failed
version_added: 0.1.0
description:
  - A step of this collection that fails for some apps fails the host. With the variable C(wsgi_defer_failures) it does not,
    and the play goes on with the other apps. This step then fails the host for all of them, with one line for each failure.
  - It knows the failures of every step of this run on the host by itself. There is nothing to register and nothing to list.
  - Each failure is reported once. If the failure of this step is rescued or ignored, later steps begin anew.
  - Runs on the controller and does not connect to the host.
author:
  - The wsgi.stack founders (@wsgi-stack)
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
attributes:
  check_mode:
    description: Fails for what the steps found in check mode.
seealso:
  - plugin: wsgi.stack.run
    plugin_type: lookup
    description: The apps that have failed so far.
"""

EXAMPLES = r"""
- name: Deploy the apps
  vars:
    wsgi_defer_failures: true
  block:
    - name: Build and release the apps
      ansible.builtin.include_role:
        name: wsgi.stack.app

    - name: Roll the releases out
      ansible.builtin.include_role:
        name: wsgi.stack.uwsgi

- name: Fail for every app that failed
  wsgi.stack.failures:
"""

RETURN = r"""
apps:
  description: The names of the apps that failed.
  type: list
  elements: str
  returned: always
"""
