#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that examines a server of WSGI apps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor_info
short_description: Diagnose a server of Python web apps
version_added: 0.1.0
description:
  - Examines everything between a visitor and the apps of a host, set up by this collection or by hand.
  - Checks nginx, its configuration and its certificates; the socket of each app as P(wsgi.stack.socket_access_info#module) does;
    the process behind it, its systemd unit or supervisor program, its Python and its virtual environment; error logs, file
    systems, listen queues, and DNS.
  - Each finding says what is wrong, what was seen of it, and what fixes it.
  - Asks nginx for each site as a visitor does, and compares the answer with that of the app itself.
  - Changes nothing. It sends requests that any visitor may make, to nginx and to each app; a server with systemd socket
    activation is started by that. Locations that nginx guards are connected to, and not called.
options:
  timeout:
    description: Seconds that an app has to answer. The requests to all apps are sent at the same time.
    type: int
    default: 10
  reference_time:
    description:
      - Seconds since the epoch by a clock that is right; the host's own clock is compared with it.
      - By default the time on the controller when the task starts. V(0) is no comparison.
    type: float
  format:
    description:
      - How the report is printed. V(text) is for people.
      - V(json) is one line with a JSON object, which has C(host), C(state), C(summary), RV(nginx), RV(sites), RV(findings) and
        RV(unseen).
    type: str
    choices: [text, json]
    default: text
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
seealso:
  - module: wsgi.stack.socket_access_info
  - module: wsgi.stack.site_probe_info
notes:
  - Run it as root. As another user it sees less, and lists that in RV(unseen).
  - Prints the report, as O(format) says, if the output is that of the callback C(default).
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Examine the server
  wsgi.stack.doctor_info:
    timeout: 5
  become: true
  register: doctor

- name: Fail if a site is broken
  ansible.builtin.assert:
    that: doctor.findings | selectattr('severity', 'eq', 'broken') | length == 0
    fail_msg: "{{ doctor.findings | map(attribute='message') | join('\n') }}"
"""

RETURN = r"""
findings:
  description: The problems, the worst first.
  returned: always
  type: list
  elements: dict
  contains:
    severity:
      description: V(broken), visitors get an error now; V(warning), it will break or is dangerous; V(note), worth knowing.
      type: str
    code:
      description: Identifier of the problem. For sockets, a code of M(wsgi.stack.socket_access_info).
      type: str
      sample: no_write_permission
    message:
      description: What is wrong, in one sentence.
      type: str
    evidence:
      description: What was seen, one line in each element.
      type: list
      elements: str
    fix:
      description: A command for root's shell that fixes it for good. Or a sentence, if no command does; it ends with a full stop.
      type: str
    quick_fix:
      description: A command that helps meanwhile, if RV(findings[].fix) is a sentence or takes longer; else empty.
      type: str
    site:
      description: The RV(sites[].name) of the site; empty if it concerns the host.
      type: str
sites:
  description: The sites of nginx. Server blocks that share a name are one site.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its first server name, or the file and line of a site without one.
      type: str
    names:
      description: All its server names.
      type: list
      elements: str
    state:
      description: The worst severity of its findings, or V(ok).
      type: str
    listens:
      description: The addresses it listens on.
      type: list
      elements: str
    defined_in:
      description: The file and line of its first server block.
      type: str
    upstreams:
      description:
        - Its upstreams. Each has C(address), C(protocol), C(locations); C(code), C(message) and C(status) as
          M(wsgi.stack.socket_access_info) returns them; C(waits), whether systemd starts it at the first request; C(unit),
          C(process), C(queue), and C(log), the errors in the app's log of the last day.
        - A process has C(pid), C(server), C(command), C(user), C(since), C(unit), C(program) of supervisor, C(python),
          C(virtual_environment), C(directory), and C(configuration), a list of files.
      type: list
      elements: dict
    variable_upstreams:
      description: Upstreams that depend on the request. They are asked through nginx only.
      type: list
      elements: str
    certificates:
      description: Its certificates, each with C(path), C(names), C(ends), C(days_left), C(self_signed), and C(message).
      type: list
      elements: dict
    dns:
      description: The addresses that its names resolve to, as text, by name.
      type: dict
    log:
      description: Errors in nginx's log since it loaded its configuration, at most of the last day.
      type: list
      elements: str
nginx:
  description: C(installed), C(version), C(pid), C(workers_since), and C(configuration), V(ok) or nginx's error.
  returned: always
  type: dict
unseen:
  description: What could not be examined, and why.
  returned: always
  type: list
  elements: str
report:
  description: The report as text, one line in each element. The last line is the summary.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Module


@_bytecode.kept
def main() -> None:
    options = {"timeout": {"type": "int", "default": 10}, "reference_time": {"type": "float"}}
    options["format"] = {"type": "str", "choices": ["text", "json"], "default": "text"}
    module = Module(options, supports_check_mode=True)
    if module.params["timeout"] < 1:
        module.fail_json(msg=f"doctor: timeout: {module.params['timeout']} is too short; set it to 1 second or more.")
    found = _examine.examine(float(module.params["timeout"]), module.params["reference_time"] or 0.0)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
