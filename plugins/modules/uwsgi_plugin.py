#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: uwsgi_plugin
short_description: Make sure that uWSGI has a plugin for an interpreter
version_added: 0.1.0
author:
  - The wsgi.stack founders (@wsgi-stack)
description:
  - Makes sure that the installed uWSGI has a plugin for each interpreter that fits both, and builds missing plugins.
  - A plugin is named after its interpreter, like Debian's own. C(python39) is the plugin for C(/usr/bin/python3.9),
    C(python312_opt_python) the one for C(/opt/python/bin/python3.12). uWSGI loads it with C(need-plugin = python39).
    A plugin that depends on it is called C(gevent_python39), and has to follow it in C(need-plugin).
  - A plugin is compiled by a temporary user, without network access, in a private C(/tmp). Before it is installed, it is loaded
    into the installed uWSGI, and has to report the interpreter's version and use the interpreter's libpython. It is installed
    atomically, with mode V(0644) and owned by root, into the directory where uWSGI looks for plugins. If anything fails, the
    existing plugin is kept.
  - The last line of the file (C(tail -n 1 FILE)) records what it was built from. It is rebuilt when any of that has changed,
    which is uWSGI's version, header or flags, the interpreter's version, ABI or libpython, or the plugin's sources.
  - A plugin from a Debian package is used if it fits, and never replaced or removed. A file of any other origin is replaced, and
    kept as C(FILE.orig).
  - uWSGI loads a plugin that was built for another release silently, and then hangs. Those that are left over from
    an upgrade are listed in RV(leftovers), with a warning.
options:
  python:
    description:
      - Interpreters, each a name that is looked up in the usual directories, or an absolute path.
      - Every user must be able to run them. They are run as C(nobody).
    type: list
    elements: str
  apps:
    description:
      - Apps as P(wsgi.stack.apps#lookup) returns them, which get the plugins for their C(python).
      - The failure of one app keeps no other from its plugin. The step fails in the end, unless
        C(wsgi_defer_failures) is set.
    required: false
  plugins:
    description:
      - The plugins for each interpreter, named as the directories below C(plugins) in uWSGI's sources.
      - V(asyncio), V(gevent), V(greenlet) and V(tornado) depend on V(python), which has to be installed or listed too.
      - A plugin that is not for Python keeps its name.
    type: list
    elements: str
    default: [python]
  source:
    description:
      - The sources to build from.
      - V(distribution) takes those of the package C(uwsgi-src).
      - V(pypi) takes those of uWSGI 2.0.31, and a version, such as V(2.0.30), those of that release. They are fetched once, to
        C(/usr/local/lib/wsgi), from the package index that the host's C(/etc/pip.conf) names, and built for the installed uWSGI.
      - V(auto) takes those of the distribution, or of V(pypi) if the distribution's are known to be too old for the interpreter.
        Python 3.12 needs 2.0.23 or later, Python 3.13 needs 2.0.28, Python 3.14 needs 2.0.30.
    type: str
    default: distribution
  state:
    description:
      - V(present) builds plugins that are missing or no longer fit.
      - V(absent) removes plugins that this module built, also those for an interpreter that is no longer installed.
    type: str
    choices: [present, absent]
    default: present
  install_build_dependencies:
    description:
      - Whether to install the Debian packages that a build needs, when something has to be built. They depend on the flags of the
        installed uWSGI. They are installed as by M(wsgi.stack.packages), and are not removed afterwards.
    type: bool
    default: false
  jobs:
    description: How many plugins are built at once. The number of processors if not given.
  installed_build_dependencies:
    description:
      - The packages that have been installed.
      - Set by the action plugin of this module, not by playbooks.
    type: list
    elements: str
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.jobs
attributes:
  check_mode:
    description: Says what would be built or removed, and why, without changing the host.
    details:
      - As long as uWSGI is not installed, or an interpreter that C(system_packages) may provide, the plugin would be built.
  diff_mode:
    description: Shows what each plugin was built from, and what it is built from now.
requirements:
  - uwsgi-core on the host
seealso:
  - module: wsgi.stack.rollout
  - plugin: wsgi.stack.apps
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Build a plugin for Python 3.9, and install what the build needs
  wsgi.stack.uwsgi_plugin:
    python: [python3.9]
    install_build_dependencies: true
  become: true

- name: Build plugins for gevent and asyncio on an interpreter that is newer than the distribution's uWSGI
  wsgi.stack.uwsgi_plugin:
    python: [/opt/python3.13/bin/python3.13]
    plugins: [python, gevent, asyncio]
    source: pypi
  become: true

- name: Build the plugins for the interpreters of all apps
  wsgi.stack.uwsgi_plugin:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    source: auto
    install_build_dependencies: true
  become: true
  register: uwsgi_plugin

- name: Remove a plugin
  wsgi.stack.uwsgi_plugin:
    python: [python3.9]
    state: absent
  become: true
"""

RETURN = r"""
plugins:
  description: The plugins, without those that failed.
  returned: always
  type: list
  elements: dict
  contains:
    plugin:
      description: The directory of its sources.
      type: str
      sample: python
    name:
      description: Its name. Null in check mode if it cannot be known yet.
      type: str
      sample: python39
    path:
      description: Its file, null if C(name) is.
      type: str
      sample: /usr/lib/uwsgi/plugins/python39_plugin.so
    python:
      description: The real path of the interpreter, or its name if it cannot be known yet.
      type: str
      sample: /usr/bin/python3.9
    version:
      description: The version of the interpreter, null if it cannot be known yet.
      type: str
      sample: 3.9.2
    action:
      description:
        - V(present), it fits or, with O(state=absent), was not built by this module; V(packaged), it comes from a Debian package
          and fits; V(built); V(removed); V(absent), there is none to remove. In check mode also V(would build) and
          V(would remove).
      type: str
    message:
      description: Why. If it is built, what has changed since it was built last.
      type: str
      sample: "uWSGI: was 2.0.21-debian, is 2.0.28-debian"
build_dependencies:
  description: The Debian packages that were installed for building, or would be.
  returned: always
  type: list
  elements: str
leftovers:
  description: Plugins that were built for another uWSGI than the installed one, and that this call does not rebuild.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    message:
      description: What it was built for.
      type: str
failures:
  description: The errors. The existing file of a plugin that failed was not changed.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The app, with O(apps).
      type: str
    python:
      description: The interpreter as given in O(python).
      type: str
    step:
      description: What was being done, V(python) or V(plugin).
      type: str
    message:
      description: The cause, and what to do. With O(apps), the app and the step before it.
      type: str
    log:
      description: The last 200 lines of output of the program that failed, such as the compiler.
      type: list
      elements: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
