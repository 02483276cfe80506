#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Request apps through nginx, as a visitor would."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_probe_info
short_description: Request WSGI apps through nginx, as a visitor would
version_added: 0.1.0
description:
  - Requests the health check of each app under each of its domains from the host's nginx, all apps at once.
  - An app has to return one of the status codes of its health check. A domain that is not the canonical one has to redirect to
    it.
  - An app with TLS is requested by HTTPS and by HTTP. The certificate has to be valid for the domain, from any issuer or
    self-signed. HTTP has to redirect to HTTPS, unless the redirect is disabled.
  - An app that was stopped because it was idle is not requested, since this would start it.
  - Tries again until O(timeout), since nginx applies a new configuration with a delay.
options:
  address:
    description: The address of nginx.
    type: str
    default: 127.0.0.1
  port:
    description: nginx's port for HTTP.
    type: int
    default: 80
  timeout:
    description: Seconds that an app has to respond as expected.
    type: int
    default: 10
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
  - wsgi.stack.apps
attributes:
  check_mode:
    details: Each request is sent once. A real run may fix what is wrong, so there are no RV(failures); RV(msg) names the apps.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Request every app as a visitor would
  wsgi.stack.site_probe_info:
    apps: "{{ lookup('wsgi.stack.apps') }}"
  register: answers
"""

RETURN = r"""
sites:
  description: The responses of the apps that respond as expected, by the name of the app, with an element for each request.
  returned: always
  type: dict
  sample: {shop: [{url: 'http://shop.example.com/', status: 200, seconds: 0.012}]}
asleep:
  description: The apps that are stopped because they are idle, and were not requested.
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
      description: The URL, the response and the expected one, and what nginx logged about it.
      type: str
    log:
      description: The end of nginx's error log of the app, a line an element.
      type: list
      elements: str
msg:
  description: What could not be checked.
  returned: in check mode, when there is something to say
  type: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._site_probe import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
