#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Create the users, groups and directories of WSGI apps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: accounts
short_description: Create the users, groups and directories of WSGI apps
version_added: 0.1.0
description:
  - Gives each app a system user and a group of its own, with the app's name, and its directories. They are declared in
    C(/etc/sysusers.d/wsgi.conf) and C(/etc/tmpfiles.d/wsgi.conf), and made by C(systemd-sysusers) and C(systemd-tmpfiles).
  - An app's user gets no systemd of its own, whose processes would be in no slot. C(/etc/polkit-1/rules.d/10-wsgi.rules) forbids
    it what polkit allows to everybody, C(loginctl enable-linger).
  - An app never gets a user or a group that the host has already, such as C(docker). It fails, in check mode too, before anything
    is made for it, and the other apps go on.
  - A user counts as the app's own if it has the home and the full name that this module sets, and a primary group of its name.
  - What was declared for the apps of other lists stays.
  - M(wsgi.stack.retire) removes users and groups.
options:
  directory:
    description: The root of builds, releases and data.
    type: path
    default: /srv/wsgi
  runtime_directory:
    description: The root of the sockets.
    type: path
    default: /run/wsgi
  nginx_group:
    description: The group of nginx's workers, which may connect to the sockets of the apps.
    type: str
    default: www-data
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.list
  - wsgi.stack.apps.only
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Create the users and directories of the apps
  wsgi.stack.accounts:
    apps: "{{ lookup('wsgi.stack.apps') }}"
  register: app_accounts
"""

RETURN = r"""
apps:
  description: The names of the apps that have a user and a group, or in check mode would get them.
  returned: always
  type: list
  elements: str
written:
  description: The paths whose content changed.
  returned: always
  type: list
  elements: str
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log).
  returned: always
  type: list
  elements: dict
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.accounts._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
