#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates by certbot, for sites that go on serving meanwhile."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate
short_description: Get certificates by certbot, and keep them as they are wanted
version_added: 0.1.0
description:
  - Sees to it that there is a certificate for each set of names, by certbot, one after the other. nginx goes on serving.
  - Decides from the certificate on the disk and certbot's configuration of its renewal, not from what an earlier run noted. A
    certificate is got anew if there is none, if it has other names, is from another ACME server, has another kind of key, has
    ended or is about to, or if its CA says that it wants it replaced (RFC 9773), as when it was revoked.
  - Names are added and removed. One that is not wanted any more is not in the next certificate.
  - Takes over what certbot was told to do by hand, whatever that certificate is called, if it has no names but those that are
    wanted. Its renewal no longer changes nginx's configuration then. Unless something else is wrong with the certificate, the CA
    is not asked.
  - Before the CA is asked, a file is put into O(webroot) and fetched through each name. A name that does not lead here is
    reported with what it resolves to, and no attempt is spent, of which a CA grants few. The other certificates are got.
  - With O(apps), the link that nginx names leads to the certificate then, and nginx is checked and reloaded if it presents
    another one. With O(certificates), nginx is reloaded if it runs.
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
        description: What certbot calls it. It lies in C(/etc/letsencrypt/live/NAME), if RV(certificates) does not say otherwise.
        type: str
        required: true
      domains:
        description: The names that it is for.
        type: list
        elements: str
        required: true
      apps:
        description: What goes without if it cannot be had, for RV(failures). Its name if not given.
        type: list
        elements: str
  server:
    description:
      - The URL of the directory of an ACME server. By default the one that C(/etc/letsencrypt/cli.ini) names, else Let's Encrypt.
      - Let's Encrypt's for trying is V(https://acme-staging-v02.api.letsencrypt.org/directory).
    type: str
  email:
    description:
      - The address that the CA may write to. Without it certbot's account has none; Let's Encrypt makes no use of it since 2025.
      - It is told to the CA when certbot gets its account there, and not later.
    type: str
  agree_tos:
    description:
      - Whether you agree to the CA's terms of service. Without that no account is made, and certificates can only be had where
        there is one.
    type: bool
    default: false
  options:
    description:
      - Further options of certbot, each with its value or by itself, such as V(--preferred-chain "ISRG Root X1").
      - Those that name a way to prove the names, such as V(--standalone) or V(--dns-rfc2136), replace O(webroot), and no names
        are fetched then.
      - But for that way, they hold from the next certificate on.
    type: list
    elements: str
    default: []
  key_type:
    description: The kind of key. Certbot's choice, and what there is, if not given.
    type: str
    choices: [ecdsa, rsa]
  webroot:
    description: The directory below which nginx finds C(/.well-known/acme-challenge/) of all names, on port 80.
    type: path
    default: /var/lib/wsgi/acme
  minimum_days:
    description:
      - The days that a certificate has to be valid for still. Below that, renewal has not worked, and it is replaced. A quarter
        of its time, 20 days at the most, if not given.
    type: int
  check_names:
    description:
      - Whether names are fetched before the CA is asked. A host that cannot reach itself by the address that its names have, as
        behind some routers, has to go without.
    type: bool
    default: true
  ca_bundle:
    description:
      - A file on the host with the CA certificates to trust in place of the host's trust store, for an ACME server of one's own.
    type: path
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
attributes:
  check_mode:
    details: Names are not fetched, since that takes a file in O(webroot); so a certificate that would be got may not be had.
requirements:
  - certbot 1.21 or later and openssl on the host
seealso:
  - module: wsgi.stack.site_probe
  - plugin: wsgi.stack.apps
    plugin_type: lookup
notes:
  - One certbot runs at a time. If another one runs, such as the timer's, this one waits for it, 15 minutes at the most.
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

- name: Get two certificates, by way of DNS
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
  description: Each certificate by its name, but for those that failed.
  returned: always
  type: dict
  contains:
    lineage:
      description: What certbot calls it.
      type: str
      sample: shop
    directory:
      description: Where C(fullchain.pem) and C(privkey.pem) are.
      type: str
      sample: /etc/letsencrypt/live/shop
    names:
      description: The names that it is for.
      type: list
      elements: str
    ends:
      description: The day on which it ends, in UTC. Null in check mode if there is none yet.
      type: str
      sample: '2027-02-18'
    days_left:
      description: The whole days that are left. Null if C(ends) is.
      type: int
    action:
      description:
        - V(keep), V(configure) (how it is renewed was changed) or V(issue). In check mode also V(would configure) and
          V(would issue).
      type: str
    reason:
      description: Why, in words. Empty if it is kept.
      type: str
      sample: it is not for www.shop.example.com yet
reloaded:
  description: Whether nginx was reloaded.
  returned: always
  type: bool
failures:
  description:
    - The apps whose certificate could not be had. What they presented before they present still. The step fails for them, unless
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
      description: One sentence with the app, the cause, in the CA's words if it refused, and what to do.
      type: str
    log:
      description: What certbot printed, a line an element.
      type: list
      elements: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _command, _run
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._command import CertbotSettings
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root

CERTIFICATE = {
    "name": {"type": "str", "required": True},
    "domains": {"type": "list", "elements": "str", "required": True},
    "apps": {"type": "list", "elements": "str"},
}

OPTIONS = {
    "apps": {"type": "list", "elements": "dict"},
    "certificates": {"type": "list", "elements": "dict", "options": CERTIFICATE},
    "server": {"type": "str"},
    "email": {"type": "str"},
    "agree_tos": {"type": "bool", "default": False},
    "options": {"type": "list", "elements": "str", "default": []},
    "key_type": {"type": "str", "choices": ["ecdsa", "rsa"], "no_log": False},
    "webroot": {"type": "path", "default": "/var/lib/wsgi/acme"},
    "minimum_days": {"type": "int"},
    "check_names": {"type": "bool", "default": True},
    "ca_bundle": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(
        OPTIONS,
        mutually_exclusive=[("apps", "certificates")],
        required_one_of=[("apps", "certificates")],
        supports_check_mode=True,
    )
    require_root(module)
    options = module.params
    settings = CertbotSettings(
        server=options["server"] or _command.configured_server(),
        webroot=options["webroot"].rstrip("/"),
        email=options["email"],
        agree_tos=options["agree_tos"],
        options=tuple(options["options"]),
        key_type=options["key_type"],
        minimum_days=options["minimum_days"],
        check_names=options["check_names"],
        bundle=options["ca_bundle"],
    )
    try:
        outcome = _run.converge(options["apps"], options["certificates"], settings, module.check_mode)
    except StackError as failure:
        module.fail_json(msg=f"{failure.step}: {failure.cause}")
    module.exit_json(**asdict(outcome))


if __name__ == "__main__":
    main()
