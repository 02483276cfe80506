# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install Debian packages, also on a host on which apt knows none yet
version_added: 0.1.0
description:
  - Runs M(ansible.builtin.apt), without recommended packages, and fetches new package lists only if the installation fails
    with the old ones. A run that installs nothing therefore asks no mirror.
  - In check mode on a host without package lists, as a new one is, M(ansible.builtin.apt) fails.
    This says what would be installed.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  name:
    description: The packages.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
attributes:
  diff_mode:
    description: Shows what is installed.
"""

EXAMPLES = r"""
- name: Install nginx
  wsgi.stack.packages:
    name: [nginx]
"""

RETURN = r"""
msg:
  description: In check mode, why it cannot be known in detail what would be installed.
  type: str
  returned: in check mode, without package lists
"""
