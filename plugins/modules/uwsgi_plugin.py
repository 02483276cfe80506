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
  - Makes sure that the installed uWSGI has a plugin for each interpreter, which fits both, and builds it if it has none.
  - A plugin is named after its interpreter, as Debian names its own. C(python39) is the one of C(/usr/bin/python3.9),
    C(python312_opt_python) that of C(/opt/python/bin/python3.12). With it, uWSGI is told C(need-plugin = python39).
    One that stands on it has its name in front, C(gevent_python39), and follows it in C(need-plugin).
  - A plugin is compiled by a user that exists only meanwhile, without a network, in a C(/tmp) of its own. Before it is installed
    it is loaded into the real uWSGI, and has to run the interpreter's version with the interpreter's own libpython. It is
    installed by one rename, V(0644) and owned by root, into the directory that this uWSGI searches. When something fails,
    what was there is there still.
  - What it was built of is noted in the file's last line, C(tail -n 1 FILE). It is built anew when any of that changed, uWSGI's
    version, header or flags, the interpreter's version, ABI or libpython, or the plugin's sources, and not otherwise.
  - A plugin from a Debian package is used if it fits, and never replaced or removed. One that somebody else made is replaced,
    and kept as C(FILE.orig).
  - uWSGI loads a plugin that was built for another release silently, and then hangs. Those that are left over from
    an upgrade are in RV(leftovers), and in a warning.
options:
  python:
    description:
      - Interpreters, each a name that is looked up in the usual directories, or an absolute path.
      - They have to run for every user, and are run as C(nobody).
    type: list
    elements: str
  apps:
    description:
      - Apps as P(wsgi.stack.apps#lookup) returns them, each of whose C(python) is to have the plugins.
      - The failure of one app keeps no other from its plugin. The step fails in the end, unless
        C(wsgi_defer_failures) is set.
    required: false
  plugins:
    description:
      - The plugins for each interpreter, named as the directories below C(plugins) in uWSGI's sources.
      - V(asyncio), V(gevent), V(greenlet) and V(tornado) stand on V(python), which has to be there or be named too.
      - One that has nothing to do with Python keeps its name.
    type: list
    elements: str
    default: [python]
  source:
    description:
      - The sources to build of.
      - V(distribution) takes those of the package C(uwsgi-src).
      - V(pypi) takes those of uWSGI 2.0.31, and a version, such as V(2.0.30), those of that release. They are fetched once, to
        C(/usr/local/lib/wsgi), from the package index that the host's C(/etc/pip.conf) names, and built for the installed uWSGI.
      - V(auto) takes those of the distribution, or of V(pypi) if the distribution's are known to be too old for the interpreter.
        Python 3.12 takes 2.0.23 or later, Python 3.13 takes 2.0.28, Python 3.14 takes 2.0.30.
    type: str
    default: distribution
  state:
    description:
      - V(present) builds what is missing or does not fit any more.
      - V(absent) removes what this module built, also for an interpreter that is gone.
    type: str
    choices: [present, absent]
    default: present
  install_build_dependencies:
    description:
      - Whether the Debian packages that a build takes are installed when something has to be built. Which these are follows from
        the flags of the installed uWSGI. They are installed as M(wsgi.stack.packages) does, and stay.
    type: bool
    default: false
  jobs:
    description: How many plugins are built at once. The number of processors if not given.
  installed_build_dependencies:
    description:
      - What has been installed.
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
      - As long as uWSGI is not installed, or an interpreter that the app's C(system_packages) may bring, it would be built.
  diff_mode:
    description: Shows what each plugin was built of, and what it is built of now.
requirements:
  - uwsgi-core on the host
seealso:
  - module: wsgi.stack.rollout
  - plugin: wsgi.stack.apps
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Give uWSGI a plugin for Python 3.9, with what building it takes
  wsgi.stack.uwsgi_plugin:
    python: [python3.9]
    install_build_dependencies: true
  become: true

- name: Run gevent and asyncio on an interpreter that is newer than the distribution's uWSGI
  wsgi.stack.uwsgi_plugin:
    python: [/opt/python3.13/bin/python3.13]
    plugins: [python, gevent, asyncio]
    source: pypi
  become: true

- name: Give every app the plugin for its interpreter
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
  description: Each plugin, but for those that failed.
  returned: always
  type: list
  elements: dict
  contains:
    plugin:
      description: The directory of its sources.
      type: str
      sample: python
    name:
      description: What it is called. Null in check mode if it cannot be known yet.
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
        - V(present), it fits or, with O(state=absent), is not this module's; V(packaged), it comes from a Debian package and
          fits; V(built); V(removed); V(absent), there is none to remove. In check mode also V(would build) and V(would remove).
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
  description: Plugins that were built for another uWSGI than the one installed, and that were not asked for in this call.
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
  description: What went wrong. Of a plugin that failed, nothing was changed.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The app, with O(apps).
      type: str
    python:
      description: The interpreter as it was named, with O(python).
      type: str
    step:
      description: What was being done, V(python) or V(plugin).
      type: str
    message:
      description: The cause, and what to do. With O(apps), the app and the step before it.
      type: str
    log:
      description: The last 200 lines that the programs concerned printed, the compiler among them.
      type: list
      elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _ensure, _remove, _requests, _result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "python": {"type": "list", "elements": "str"},
            "apps": {"type": "list", "elements": "dict"},
            "plugins": {"type": "list", "elements": "str", "default": ["python"]},
            "source": {"type": "str", "default": "distribution"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "install_build_dependencies": {"type": "bool", "default": False},
            "jobs": {"type": "int"},
            "installed_build_dependencies": {"type": "list", "elements": "str"},
        },
        mutually_exclusive=[("python", "apps")],
        required_one_of=[("python", "apps")],
        supports_check_mode=True,
    )
    require_root(module)
    apps = module.params["apps"]
    options = _requests.PluginOptions(
        requests=_requests.requests(module.params["python"], apps),
        plugins=list(dict.fromkeys(module.params["plugins"])),
        source=module.params["source"],
        jobs=module.params["jobs"] or len(os.sched_getaffinity(0)),
        check_mode=module.check_mode,
        install=module.params["install_build_dependencies"],
        installed=module.params["installed_build_dependencies"],
    )
    try:
        _requests.check(options)
    except StackError as failure:
        module.fail_json(msg=f"uwsgi_plugin: {failure.cause}")
    result, failures = (_ensure.present if module.params["state"] == "present" else _remove.absent)(options)
    if "needed" in result:
        module.exit_json(**result)
    for leftover in result["leftovers"]:
        module.warn(_result.warning(leftover))
    if apps is not None:
        module.exit_json(**result, failures=[failure.result(app) for app, failure in failures.found])
    found = [{"python": python, **_result.failure_of_python(failure)} for python, failure in failures.found]
    if found:
        module.fail_json(msg="\n".join(dict.fromkeys(failure["message"] for failure in found)), **result, failures=found)
    module.exit_json(**result, failures=[])


if __name__ == "__main__":
    main()
