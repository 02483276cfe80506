# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install Debian packages, even on a host without package lists
version_added: 0.1.0
description:
  - Runs M(ansible.builtin.apt) without recommended packages. Package lists are only updated if there are none, or if the
    installation fails with the present ones, so a run that installs nothing needs no mirror.
  - After M(wsgi.stack.survey), the first task that installs something also installs the packages of the tasks to come, as far as
    they are missing, since one run of apt takes less time than three. It does not in check mode, nor with tags that leave out
    steps.
  - On a new host without package lists M(ansible.builtin.apt) fails in check mode. This module says what would be installed.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  name:
    description: The packages.
    type: list
    elements: str
    required: true
  of_apps:
    description:
      - Further packages that apps need, a list for each app by its name.
      - If apt does not know one of them, the apps that need it fail, and all other packages are installed.
    type: dict
    default: {}
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
  description: In check mode, why the packages to install are not known in detail.
  type: str
  returned: in check mode, without package lists
failures:
  description: The apps that need a package that apt does not know, each with C(app), C(step), C(message) and C(log).
  type: list
  elements: dict
  returned: if packages are installed
"""
