#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Get and renew certificates with certbot, without downtime."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate
short_description: Get certificates with certbot, and keep them as they should be
version_added: 0.1.0
description:
  - Gets a certificate for each set of names with certbot, one after the other, while nginx keeps serving.
  - Decides from the certificate on the disk and certbot's renewal file, not from what an earlier run saved. A new certificate is
    needed if there is none, if it has other names, another ACME server or another type of key, if it has expired or expires soon,
    or if its CA wants it replaced (RFC 9773), as after a revocation.
  - Names can be added and removed. A name that is no longer wanted is not in the next certificate.
  - Takes over certificates that were created with certbot by hand, whatever their name, if they have no names but the wanted
    ones. Their renewal no longer changes nginx's configuration then. The CA is only asked if the certificate itself has to be
    replaced.
  - Before the CA is asked, a test file in O(webroot) is requested through each name. A name that does not lead to this host is
    reported with its addresses, and does not count against the CA's rate limits. The other certificates are still issued.
  - With O(apps), the symlink in nginx's configuration leads to the certificate then, and nginx is reloaded if it serves another
    one. With O(certificates), nginx is reloaded if it runs.
options:
  apps:
    description:
      - Apps as P(wsgi.stack.apps#lookup) returns them. Those with the C(tls) mode V(certbot) get certificates, one for
        the domains of each site.
    required: false
  certificates:
    description: Certificates, for sites that this collection does not configure.
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name in certbot. It is in C(/etc/letsencrypt/live/NAME), unless RV(certificates) says otherwise.
        type: str
        required: true
      domains:
        description: The names that it is valid for.
        type: list
        elements: str
        required: true
      apps:
        description: The names in RV(failures) if it cannot be issued. By default the name of the certificate.
        type: list
        elements: str
  server:
    description:
      - The URL of the directory of an ACME server. By default the one that C(/etc/letsencrypt/cli.ini) names, else Let's Encrypt.
      - Let's Encrypt's staging server is V(https://acme-staging-v02.api.letsencrypt.org/directory).
    type: str
  email:
    description:
      - The contact address of certbot's account, none if not given. Let's Encrypt does not use it since 2025.
      - It is sent to the CA when the account is created, and not later.
    type: str
  agree_tos:
    description:
      - Whether you accept the CA's terms of service. Without that, certificates can only be issued if certbot already has an
        account.
    type: bool
    default: false
  options:
    description:
      - Further options of certbot, each with its value or alone, such as V(--preferred-chain "ISRG Root X1").
      - An authenticator such as V(--standalone) or V(--dns-rfc2136) replaces O(webroot); then names are not checked before.
      - A new authenticator takes effect at once, other options with the next certificate.
    type: list
    elements: str
    default: []
  key_type:
    description: The type of key. If not given, certbot's default, and any type in existing certificates.
    type: str
    choices: [ecdsa, rsa]
  webroot:
    description: The directory from which nginx serves C(/.well-known/acme-challenge/) for all names on port 80.
    type: path
    default: /var/lib/wsgi/acme
  minimum_days:
    description:
      - A certificate with fewer days left is replaced, since its renewal has failed. By default a quarter of its lifetime, at
        most 20 days.
    type: int
  check_names:
    description:
      - Whether to request a test file through each name before the CA is asked. Set it to V(false) for hosts that cannot reach
        their own public address, as behind some routers.
    type: bool
    default: true
  ca_bundle:
    description:
      - A file on the host with CA certificates to trust instead of the host's trust store, for a private ACME server.
    type: path
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.only
attributes:
  check_mode:
    details: Names are not checked, since that needs a file in O(webroot). So a predicted certificate may fail in a real run.
requirements:
  - certbot 1.21 or later and openssl on the host
seealso:
  - module: wsgi.stack.site_probe_info
  - plugin: wsgi.stack.apps
    plugin_type: lookup
notes:
  - Only one certbot can run at a time. If another one runs, such as the timer's, the module waits for up to 15 minutes.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Get the certificates of all apps
  wsgi.stack.certificate:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    agree_tos: true
  become: true
  register: certificates

- name: Get two certificates, validated by DNS
  wsgi.stack.certificate:
    certificates:
      - name: shop
        domains: [shop.example.com, "*.shop.example.com"]
      - name: blog
        domains: [blog.example.com]
    email: admin@example.com
    agree_tos: true
    options:
      - --dns-rfc2136
      - --dns-rfc2136-credentials /etc/letsencrypt/rfc2136.ini
  become: true
"""

RETURN = r"""
certificates:
  description: Each certificate by its name, without those that failed.
  returned: always
  type: dict
  contains:
    lineage:
      description: Its name in certbot.
      type: str
      sample: shop
    directory:
      description: The directory with C(fullchain.pem) and C(privkey.pem).
      type: str
      sample: /etc/letsencrypt/live/shop
    names:
      description: The names that it is valid for.
      type: list
      elements: str
    ends:
      description: The day on which it expires, in UTC. Null in check mode if there is none yet.
      type: str
      sample: '2027-02-18'
    days_left:
      description: The whole days until it expires. Null if C(ends) is.
      type: int
    action:
      description:
        - V(keep), V(configure) (its renewal was changed) or V(issue). In check mode also V(would configure) and
          V(would issue).
      type: str
    reason:
      description: Why. Empty if it is kept.
      type: str
      sample: it is not valid for www.shop.example.com yet
reloaded:
  description: Whether nginx was reloaded.
  returned: always
  type: bool
failures:
  description:
    - The apps whose certificate could not be issued. Their sites keep the previous certificate. The step fails for them, unless
      C(wsgi_defer_failures) is set.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The app.
      type: str
    step:
      description: V(certificate), or V(tls) if nginx could not load it.
      type: str
    message:
      description: The app, the cause (in the CA's words if it refused), and what to do.
      type: str
    log:
      description: What certbot printed, a line an element.
      type: list
      elements: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
