#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan the sites of apps of which some stay as they are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_plan
short_description: Plan the sites of apps of which some stay as they are
version_added: 0.1.0
description:
  - An app whose release failed, or is staged, keeps its site. If it was to move to another domain or mount, another app may want
    the place that it keeps, and nginx would refuse both.
  - Returns the apps as nginx can serve them. What is live keeps its place, and an app that wants that place waits - it keeps its
    own, too, and is one of RV(failures).
  - What is live is in the notes of M(wsgi.stack.config_tree) on what nginx has loaded. Changes nothing.
options:
  apps:
    description: The apps, as the lookup P(wsgi.stack.apps#lookup) returns them.
    type: list
    elements: dict
    required: true
  unchanged_apps:
    description: The names of the apps whose site stays as it is.
    type: list
    elements: str
    required: true
  deferred_apps:
    description:
      - Those of O(unchanged_apps) whose site changes later in this run. An app that waits for one of them has not failed.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps.only
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Plan the sites
  wsgi.stack.site_plan:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    unchanged_apps: "{{ lookup('wsgi.stack.run').unfinished }}"
  register: plan
"""

RETURN = r"""
apps:
  description: The apps that have a site, each as it is to be served.
  returned: always
  type: list
  elements: dict
waiting:
  description: The names of the apps that have to wait.
  returned: always
  type: list
  elements: str
delayed:
  description: Those of RV(waiting) that wait only for apps in O(deferred_apps).
  returned: always
  type: list
  elements: str
failures:
  description:
    - The apps that have to wait, but for those in RV(delayed). The step fails for them, unless C(wsgi_defer_failures) is set.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The name of the app.
      type: str
    step:
      description: Always V(nginx).
      type: str
    message:
      description: What the app wants, and which app has it.
      type: str
    log:
      description: Always empty.
      type: list
      elements: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.apps._site_plan import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
