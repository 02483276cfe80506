#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make every site with TLS present a certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_certificates
short_description: Make every site with TLS present a certificate
version_added: 0.1.0
description:
  - Creates the certificates that nginx's configuration will name, for all sites in one call. C(/etc/ssl/wsgi/SITE/live) is a
    symlink to a directory with C(fullchain.pem) and C(privkey.pem). A site has the name of the first app on its domains.
  - With the mode V(self_signed) of C(tls), a site gets a self-signed certificate for 824 days. It is valid for the domains, or
    for V(localhost) and the host's names if there are none. It is renewed 90 days before it expires, and if the domains change.
  - With the mode V(files), the certificate is checked (its key belongs to it, it has not expired, it is valid for all domains)
    and replaces the previous one by one rename. Files of the controller may be encrypted with ansible-vault.
  - With the mode V(certbot), a site without a certificate gets a self-signed one until M(wsgi.stack.certificate) has another.
  - Removes certificates that no site presents any more, and those of sites that no file in C(/etc/nginx/sites-enabled) names.
    It does not reload nginx; RV(outdated) tells which sites need that.
options:
  given:
    description: The content of the controller's files. The action plugin sets it; do not set it yourself.
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
- name: Ensure every TLS site has a certificate
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
  description: The sites for which nginx serves another certificate until it is reloaded.
  returned: always
  type: list
  elements: str
directives:
  description:
    - What the placeholders in the files of P(wsgi.stack.nginx_files#filter) stand for, as
      O(wsgi.stack.config_tree#module:replace) takes it.
    - It depends on the versions of nginx and its OpenSSL, or those that would be installed if nginx is not, and on the
      certificates.
  returned: always
  type: dict
removed:
  description: The paths that were removed.
  returned: always
  type: list
  elements: str
failures:
  description: The apps whose site has no usable certificate. The step fails for them, unless
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
      description: The cause, and what to do.
      type: str
    log:
      description: What openssl printed, a line an element.
      type: list
      elements: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._site_certificates import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
