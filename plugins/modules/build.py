#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: build
short_description: Build WSGI apps, their code and virtual environment
version_added: 0.1.0
author:
  - The wsgi.stack founders (@wsgi-stack)
description:
  - Makes sure that each app has a build of the wanted code, with a virtual environment that contains its requirements.
  - A build is a directory C(builds/<digest>) with C(source), C(venv) and C(build.json). The digest covers the commit, the
    content of the directory or the requirement that the app's C(source) names, the interpreter, and the app's keys that say
    what to install. A build is made once and belongs to root, so that the app cannot change it.
  - Of the source, installs the files and projects listed in the app's C(requirements). Without them, it installs what C(uv.lock)
    or C(pylock.toml) pins if O(installer) is V(uv), or else C(requirements.txt), all from the C(working_directory), and the
    project there.
  - A project with a build system (C(pyproject.toml) with C([build-system]), or C(setup.py)) is built and installed, with its
    C(extras) and C(groups). Of one that has only C([project]), or says that it is no package, the dependencies are.
    C(packages) are installed last.
  - The app's C(files) are written over its source before that, or over those of a package after that. Then its C(build_commands)
    run, and what the source has at one of the C(shared_paths) is replaced by a symlink to C(shared/).
  - Warns of a lock file that is not read, such as C(poetry.lock).
  - Requirements that are not pinned are resolved when a build is made, and not again.
  - The running release is not changed. M(wsgi.stack.rollout) puts a build into service.
  - Repositories are read, and packages built and installed, in transient systemd units, see C(DynamicUser=) in systemd.exec(5).
    Their users run nothing else. What a unit starts ends with it. git has the app's deploy key or none, and the credentials in
    the URL of C(source.git) for the host that they are for. The installer has the key, too, if a requirement is in a repository
    behind SSH. A repository on the host has to be readable for all users.
  - Package indexes and repositories are verified with the host's trust store.
  - The failure of one app keeps no other from its build. The step fails in the end, unless
    C(wsgi_defer_failures) is set.
options:
  secrets:
    description:
      - The apps' secrets, as P(wsgi.stack.app_secrets#filter) returns them.
      - The installer gets an app's C(build_environment), which overrides what the module sets.
        Its C(build_commands) also get its C(environment).
      - C(source.deploy_key) is in memory, where git and, for requirements in git, the installer find it, and gone when they end.
    type: str
  installer:
    description:
      - The program that installs packages.
      - For the apps' packages V(uv) uses the index that C(/etc/uv/uv.toml) names, or C(build_environment).
        It is itself installed to C(/usr/local/lib/wsgi) from the package index that the host's C(/etc/pip.conf) names.
      - V(pip) is the interpreter's own; on Debian it needs the package C(python3-venv).
    type: str
    choices: [uv, pip]
    default: uv
  uv_version:
    description: The version of uv to use.
    type: str
    default: 0.13.8
  jobs:
    description: How many builds are made at once. The number of processors if not given.
  directories:
    description:
      - The content of the source directories on the controller.
      - Set by the action plugin of this module, not by playbooks.
    type: dict
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.jobs
attributes:
  check_mode:
    description: Says what would be built, without changing the host.
    details:
      - The digest is unknown as long as git is not installed, or an interpreter that C(system_packages) may provide.
  diff_mode:
    description: Shows each app's build before and after.
requirements:
  - git, libnss-systemd, openssh-client and python3-venv on the host, as far as the apps and O(installer) need them
seealso:
  - module: wsgi.stack.release
  - plugin: wsgi.stack.apps
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Build the apps
  wsgi.stack.build:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    secrets: "{{ wsgi_apps | wsgi.stack.app_secrets }}"
  become: true
  register: app_build

- name: Show what failed
  ansible.builtin.debug:
    msg: "{{ app_build.failures | map(attribute='message') }}"
"""

RETURN = r"""
builds:
  description: The build of each app that has one, by the app's name.
  returned: always
  type: dict
  contains:
    digest:
      description: The name of the build. Null in check mode if it cannot be known yet.
      type: str
      sample: 1b2c3d4e5f607182
    path:
      description: The directory of the build, null if C(digest) is.
      type: str
      sample: /srv/wsgi/shop/builds/1b2c3d4e5f607182
    revision:
      description: The commit, the SHA-256 of the directory's content, or the requirement.
      type: str
    changed:
      description: Whether the build was made, or one of its static directories opened to nginx.
      type: bool
    python:
      description: The interpreter.
      type: dict
      contains:
        executable:
          description: Its real path.
          type: str
          sample: /usr/bin/python3.11
        version:
          description: Its full version.
          type: str
          sample: 3.11.2
        implementation:
          description: What it is.
          type: str
          sample: CPython
        soabi:
          description: The name of its binary interface.
          type: str
          sample: cpython-311-x86_64-linux-gnu
        cache_tag:
          description: The tag of its compiled files.
          type: str
          sample: cpython-311
        prefix:
          description: The directory below which it is installed.
          type: str
          sample: /usr
        library:
          description: The real path of its libpython, empty if it has none.
          type: str
          sample: /usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0
        include:
          description: The directory of its header files, or where they would be.
          type: str
          sample: /usr/include/python3.11
        gil:
          description: Whether it was built with a global interpreter lock.
          type: bool
        debug:
          description: Whether it was built for debugging.
          type: bool
failures:
  description: The error of each app that has no build of the wanted code. A failed build is removed.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The app.
      type: str
    step:
      description: What was being done, one of V(user), V(python), V(source), V(install), V(static) and V(build).
      type: str
    message:
      description: The app, the step, the cause and what to do.
      type: str
    log:
      description: The last 200 lines of output of the program that failed.
      type: list
      elements: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.build._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
