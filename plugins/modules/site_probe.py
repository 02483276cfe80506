#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that asks apps through nginx, as a visitor would."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_probe
short_description: Ask WSGI apps through nginx, as a visitor would
version_added: 0.1.0
description:
  - Requests the health check of each app under each of its domains from the nginx of the host, all apps at once, and changes
    nothing.
  - An app has to answer with one of the status codes of its health check. A domain that is not the canonical one has to
    redirect to it.
  - An app with TLS is asked by HTTPS, where the certificate has to be for the domain and may be signed by anybody, and by HTTP,
    where a redirect to HTTPS is wanted, unless the app has none.
  - An app that sleeps for want of requests is not asked, which would wake it, and with it all others of the host that do.
  - Tries again until O(timeout), since nginx takes up a new configuration in its own time.
options:
  address:
    description: The address that nginx is asked at.
    type: str
    default: 127.0.0.1
  port:
    description: The port that nginx is asked at by HTTP.
    type: int
    default: 80
  timeout:
    description: Seconds that an app has until it answers as wanted.
    type: int
    default: 10
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
  - wsgi.stack.apps
attributes:
  check_mode:
    details: It asks once. What is wrong now may be right after a real run, so there are no RV(failures); RV(msg) names the apps.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Ask every app as a visitor would
  wsgi.stack.site_probe:
    apps: "{{ lookup('wsgi.stack.apps') }}"
  register: answers
"""

RETURN = r"""
sites:
  description: What the apps answered that answered as wanted, by the name of the app, an element a domain.
  returned: always
  type: dict
  sample: {shop: [{url: 'http://shop.example.com/', status: 200, seconds: 0.012}]}
asleep:
  description: The apps that sleep, and were not asked.
  returned: always
  type: list
  elements: str
failures:
  description: The apps that did not. The step fails for them, unless
    C(wsgi_defer_failures) is set.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The name of the app.
      type: str
    step:
      description: Always V(verify).
      type: str
    message:
      description: One sentence with what was asked, what came, what was wanted, and what nginx logged about it.
      type: str
    log:
      description: The end of nginx's error log of the app, a line an element.
      type: list
      elements: str
msg:
  description: What could not be seen.
  returned: in check mode, when there is something to say
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _probe
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _emperor

OPTIONS = {
    "apps": {"type": "list", "elements": "dict", "required": True},
    "address": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 80},
    "timeout": {"type": "int", "default": 10},
}


def main() -> None:
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    apps, address, port = module.params["apps"], module.params["address"], module.params["port"]
    if module.check_mode and not _probe.listening(address, port):
        where = f"Nothing listens on {address}:{port}, so in check mode there is nothing to ask."
        module.exit_json(changed=False, skipped=True, sites={}, asleep=[], failures=[], msg=where)
    asleep = _emperor.asleep(apps)
    apps = [app for app in apps if app["name"] not in asleep]
    sites, failures = _probe.probe(apps, address, port, 0 if module.check_mode else module.params["timeout"])
    result = {"changed": False, "sites": sites, "asleep": asleep, "failures": failures}
    if module.check_mode and failures:
        names = ", ".join(failure["app"] for failure in failures)
        result.update(failures=[], msg=f"Before the run these apps do not answer as wanted: {names}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
