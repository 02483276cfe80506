#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that sees to it that every site with TLS has a certificate to present."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_certificates
short_description: Have every site with TLS present a certificate, all sites in one call
version_added: 0.1.0
description:
  - Makes what nginx names before nginx names it. C(/etc/ssl/wsgi/SITE/live) is a link to a directory with C(fullchain.pem) and
    C(privkey.pem), and a site is called by the first app on its domains.
  - A site whose C(tls) has the mode V(self_signed) signs itself, for its domains, or for V(localhost) and the host's
    names if it has none, for 824 days. It is done again 90 days before the end, and when the domains change.
  - With the mode V(files), what was given is checked (the key belongs to the certificate, it has not ended, it is for all
    domains) and replaces the former by one rename. A file of the controller may be encrypted by ansible-vault.
  - With the mode V(certbot), a site that has nothing to present signs itself until M(wsgi.stack.certificate) publishes another.
  - Removes what no site presents any more and no file in C(/etc/nginx/sites-enabled) names. It does not reload nginx;
    RV(outdated) is for whoever does.
options:
  given:
    description: What the controller's files contain; the module puts it here itself.
    type: str
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
attributes:
  diff_mode:
    details: What a site presents, and what it would. Keys are never shown.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Have something to present
  wsgi.stack.site_certificates:
    apps: "{{ lookup('wsgi.stack.apps') }}"
  register: certificates
"""

RETURN = r"""
sites:
  description: What each site presents, or would after a real run.
  returned: always
  type: dict
  sample: {shop: 'self-signed-385da3a024685273: shop.example.com, until 2029-02-21'}
outdated:
  description: The sites for which nginx presents something else until it is reloaded.
  returned: always
  type: list
  elements: str
stapled:
  description: The sites with a certificate that names an OCSP responder.
  returned: always
  type: list
  elements: str
removed:
  description: What was removed.
  returned: always
  type: list
  elements: str
versions:
  description: The versions of nginx and its OpenSSL, of the ones that would be installed if there are none.
  returned: always
  type: dict
  sample: {nginx: 1.26.3, openssl: 3.5.1}
failures:
  description: The apps of sites whose certificate does not do. The step fails for them, unless
    C(wsgi_defer_failures) is set.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The name of the app.
      type: str
    step:
      description: Always V(tls).
      type: str
    message:
      description: One sentence for the operator.
      type: str
    log:
      description: What openssl printed, a line an element.
      type: list
      elements: str
"""

import base64
import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils._errors import from_os_error
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _site_certificates

OPTIONS = {
    "apps": {"type": "list", "elements": "dict", "required": True},
    "given": {"type": "str", "no_log": True},
}


def main() -> None:
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    require_root(module)
    given = json.loads(base64.b64decode(module.params["given"] or b"e30="))
    try:
        result = _site_certificates.converge(module.params["apps"], given, module.check_mode)
    except OSError as error:
        module.fail_json(msg=from_os_error(error).cause)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
