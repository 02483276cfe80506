#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Remove all that this collection made on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: uninstall
short_description: Remove all that this collection made on a host
version_added: 0.1.0
description:
  - Takes the sites out of nginx, removes every app as M(wsgi.stack.retire) does, and then what the apps share. That is units,
    users, uv, uWSGI plugins, self-signed certificates, rules of ufw and what the collection knows of the host.
  - Puts back what had to make room, Debian's default site of nginx and the limits in C(nginx.conf), unless they were changed
    since. nginx is reloaded and keeps running.
  - Keeps C(shared/) of each app, and the app's user, unless O(remove_shared) is set. Always keeps Debian packages, nginx's logs,
    the journal, and certbot's account at the CA.
  - Is about the whole host. Fails before anything is changed if the host has apps of another O(list) that are not in
    O(take_over), or apps below another O(directory).
  - The next run completes one that was interrupted.
options:
  remove_shared:
    description: Also remove the data of the apps, C(shared/).
    type: bool
    default: false
  list:
    description: The name of the list of apps that is removed with the rest.
    type: str
    default: default
  take_over:
    description: The names of apps of other lists that may be removed, too.
    type: list
    elements: str
    default: []
  directory:
    description: The root of builds, releases and data. It is removed if nothing is left in it.
    type: path
    default: /srv/wsgi
  runtime_directory:
    description: The root of the sockets.
    type: path
    default: /run/wsgi
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Remove all that wsgi.stack made, but the apps' data
  wsgi.stack.uninstall:
"""

RETURN = r"""
removed:
  description: The apps that were removed, or would be removed in check mode.
  type: list
  elements: str
  returned: always
kept:
  description: The paths in an app's directory that were kept, by app.
  type: dict
  returned: always
  sample: {shop: [/srv/wsgi/shop/shared]}
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log). What apps share is still there then.
  type: list
  elements: dict
  returned: always
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.removal._uninstall import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
