#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Number and write releases."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Make numbered releases of WSGI apps from their builds
version_added: 0.1.0
description:
  - A release is a build, the variables of its environment and the configuration of its app server.
    It is numbered and never changed.
  - A new release is made when any of the three differs from the newest release.
  - Its variables are those of the app's C(environment_file) and C(environment). If both have a variable, C(environment) wins.
  - Makes what is missing of the C(shared_paths) and lets nginx read the directories of C(static[].shared), also when there is no
    new release. That is done as the app's user.
  - Then runs the app's C(release_commands) as the app's user, in the new release's directory, with its virtual environment and
    variables. If a command fails, there is no new release. The commands are not part of a release. A change of the commands
    alone makes no new release, and a rollback does not run them again.
  - Then imports the entry point in the same way. If the import fails, or finds no WSGI application, there is no new release.
  - If the import starts threads, each worker of uWSGI loads the app itself (C(lazy-apps)), since threads do not survive a fork,
    and the module warns.
  - The running release is not changed. The last C(keep_releases) releases that were live, the newest release and those in a slot
    are kept, with their builds. All others are removed, including those that were never live.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  apps:
    description:
      - Apps as P(wsgi.stack.apps#lookup) returns them. Those without an entry in O(builds) are skipped.
  secrets:
    description: The apps' secrets, as the filter P(wsgi.stack.app_secrets#filter) returns them.
    type: str
    required: true
  builds:
    description: The builds by app, as the module M(wsgi.stack.build) returns them.
    type: dict
    required: true
  command_results:
    description:
      - The results of this module on the hosts that ran C(release_commands), by host name.
      - If set, no commands are run on this host. An app with C(release_commands) gets a new release only if it got one on one of
        those hosts. If its commands failed there, the app fails here, too.
      - If not set, the commands are run on this host.
    type: dict
  defer_commands:
    description:
      - Whether to leave out the apps that need a new release and have C(release_commands). RV(deferred) has their names. A
        second call makes their releases, so that the other apps do not have to wait for the commands.
    type: bool
    default: false
  nginx_group:
    description: The group of nginx's workers, which may read the directories that C(static[].shared) names.
    type: str
    default: www-data
  host:
    description: The name of this host among O(command_results).
    type: str
    default: ""
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.jobs
attributes:
  check_mode:
    description: Says what would be released and which commands would be run, without changing the host.
  diff_mode:
    description: Shows changes of the configuration, the commands, and the names of the variables without their values.
"""

EXAMPLES = r"""
- name: Release the builds
  wsgi.stack.release:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    secrets: "{{ wsgi_apps | wsgi.stack.app_secrets }}"
    builds: "{{ app_build.builds }}"
  register: app_release

- name: Release the builds on the other hosts, after the release commands have been run on the first
  wsgi.stack.release:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    secrets: "{{ wsgi_apps | wsgi.stack.app_secrets }}"
    builds: "{{ app_build.builds }}"
    command_results: "{{ {first: hostvars[first].app_release} }}"
    host: "{{ inventory_hostname }}"
  vars:
    first: "{{ ansible_play_hosts | first }}"
  when: inventory_hostname != first
"""

RETURN = r"""
releases:
  description: The number of the newest release of each app. An app that failed is left out.
  type: dict
  returned: always
  sample: {shop: 12}
commands:
  description: The commands that were run (in check mode, that would be run) for each app that got a new release here.
  type: dict
  returned: always
  contains:
    command:
      description: The command.
      type: str
    code:
      description: Its exit code, which is 0. Like the keys below, not returned in check mode.
      type: int
    seconds:
      description: How long it took.
      type: float
    output:
      description: The last 200 lines that it printed, without the values of the app's variables.
      type: list
      elements: str
  sample: {shop: [{command: flask db upgrade, code: 0, seconds: 1.2, output: [INFO  Running upgrade -> 1a2b3c]}]}
affected:
  description: >-
    The apps that got a new release, or of whose newest one a shared path was missing; in check mode, those that would get it.
  type: list
  elements: str
  returned: always
deferred:
  description: The apps that need a new release and were left out because of O(defer_commands).
  type: list
  elements: str
  returned: always
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log).
  type: list
  elements: dict
  returned: always
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.release._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
