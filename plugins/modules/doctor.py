#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that examines a server of WSGI apps, whoever set it up."""

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor
short_description: Find out what is wrong with a server of WSGI apps
version_added: 0.1.0
description:
  - Looks at everything between a visitor and the apps of a host, whoever set it up, and changes nothing.
  - Looked at are nginx, its configuration and its certificates; the socket of each app as P(wsgi.stack.socket_access#module)
    does; the process behind it, its unit, its Python and its virtual environment; logs, file systems, listen queues, and
    where the names of the sites lead.
  - Says of each thing that is wrong what was seen of it and what fixes it.
  - Each app is asked once, as a visitor would ask it. A server that systemd starts with the first request is started by that.
options:
  timeout:
    description: Seconds that an app has for an answer. All apps are asked at the same time.
    type: int
    default: 10
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
seealso:
  - module: wsgi.stack.socket_access
  - module: wsgi.stack.site_probe
notes:
  - Runs as root. As another user it sees less, and says so in RV(unseen).
  - Prints RV(report) as it is when the output is that of the callback C(default).
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Examine the server
  wsgi.stack.doctor:
    timeout: 5
  become: true
  register: doctor

- name: Fail if a visitor gets an error
  ansible.builtin.assert:
    that: doctor.findings | selectattr('severity', 'eq', 'broken') | length == 0
    fail_msg: "{{ doctor.findings | map(attribute='message') | join('\n') }}"
"""

RETURN = r"""
findings:
  description: What is wrong, the worst first.
  returned: always
  type: list
  elements: dict
  contains:
    severity:
      description: V(broken), a visitor gets an error now; V(warning), it will break or is dangerous; V(note), worth knowing.
      type: str
    code:
      description: What it is, in a word. That of a socket is that of M(wsgi.stack.socket_access).
      type: str
      sample: no_write_permission
    message:
      description: What is wrong, in one sentence.
      type: str
    evidence:
      description: What was seen, a line an element.
      type: list
      elements: str
    fix:
      description: A command that fixes it, or a sentence.
      type: str
    site:
      description: The RV(sites[].name) of the site, or nothing if it concerns the host.
      type: str
sites:
  description: The sites of nginx. Its servers that share a name are one site.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its first name, or the file and line of a site without one.
      type: str
    names:
      description: All its names.
      type: list
      elements: str
    state:
      description: The worst severity that was found, or V(ok).
      type: str
    listens:
      description: Where it listens.
      type: list
      elements: str
    defined_in:
      description: The file and line where it begins.
      type: str
    upstreams:
      description:
        - Where its requests leave nginx. Each has C(address), C(protocol), C(locations), the verdict as C(code), C(message) and
          C(status), C(waits) if systemd starts it with the first request, C(unit), C(process), C(queue), and the C(log) of
          the app, the lines of the last day that matter.
        - A process has C(pid), C(server), C(command), C(user), C(since), C(unit), C(program) of supervisor, C(python),
          C(virtual_environment), C(directory), and the files of its C(configuration).
      type: list
      elements: dict
    variable_upstreams:
      description: Upstreams that depend on the request, which are not looked at.
      type: list
      elements: str
    certificates:
      description: Its certificates, each with C(path), C(names), C(ends), C(days_left), C(self_signed), and C(message).
      type: list
      elements: dict
    dns:
      description: Where its names lead, in words.
      type: dict
    log:
      description: What nginx logged about it since it loaded its configuration, at most of the last day.
      type: list
      elements: str
nginx:
  description: C(installed), C(version), C(pid), C(workers_since), and C(configuration), V(ok) or what nginx says of it.
  returned: always
  type: dict
unseen:
  description: What could not be looked at, and why.
  returned: always
  type: list
  elements: str
report:
  description: All of it for people, a line an element. The last line sums up.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine


def main() -> None:
    module = AnsibleModule({"timeout": {"type": "int", "default": 10}}, supports_check_mode=True)
    if module.params["timeout"] < 1:
        module.fail_json(msg=f"doctor: timeout: found {module.params['timeout']}, wanted 1 second or more.")
    module.exit_json(changed=False, **_examine.examine(float(module.params["timeout"])))


if __name__ == "__main__":
    main()
