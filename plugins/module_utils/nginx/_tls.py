# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as nginx is told: certificates, protocols, ciphers, by what the installed versions know. Pure."""

from __future__ import annotations

import re

from ansible_collections.wsgi.stack.plugins.module_utils.tls._sites import files

# Mozilla's Server Side TLS, 5.7, without the ciphers that want parameters for DHE: no browser that has those lacks ECDHE.
CIPHERS = ":".join(
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ]
)


PROFILES = {
    "intermediate": [("ssl_protocols", "TLSv1.2 TLSv1.3"), ("ssl_ciphers", CIPHERS)],
    "modern": [("ssl_protocols", "TLSv1.3")],
}


SESSIONS = [
    ("ssl_prefer_server_ciphers", "off"),
    ("ssl_session_cache", "shared:wsgi:10m"),
    ("ssl_session_timeout", "1d"),
    ("ssl_session_tickets", "off"),
]


CURVES = "X25519:prime256v1:secp384r1"


HTTP2_DIRECTIVE = (1, 25, 1)
"""The nginx from which HTTP/2 is a directive of its own; before, it is a word of ``listen``."""


REJECT_HANDSHAKE = (1, 19, 4)
"""The nginx from which a server needs no certificate to refuse."""


POST_QUANTUM = (3, 5)
"""The OpenSSL from which there is X25519MLKEM768. nginx refuses a list with a curve that its OpenSSL does not know."""


def version(text: str | None) -> tuple[int, ...]:
    """The numbers of a version such as ``1.22.1``; of one that is not known, so many that it counts as new."""
    return tuple(int(number) for number in re.findall(r"[0-9]+", text or "")[:3]) or (999,)


def certificate(site: str, stapling: bool = False) -> list[tuple[str, str]]:
    """nginx's directives for the certificate of a site.

    :param stapling: whether its CA still answers for it by OCSP
    """
    chain, key = files(site)
    found = [("ssl_certificate", chain), ("ssl_certificate_key", key)]
    # Not ssl_stapling_verify, which wants the CA's root from somewhere; who is shown the answer verifies it.
    return [*found, ("ssl_stapling", "on")] if stapling else found


def settings(profile: str, openssl: str | None = None) -> list[tuple[str, str]]:
    """nginx's directives for the protocol.

    :param openssl: the version of nginx's OpenSSL; if it is not known, what every one has
    """
    curves = f"X25519MLKEM768:{CURVES}" if openssl and version(openssl) >= POST_QUANTUM else CURVES
    return [*PROFILES[profile], ("ssl_ecdh_curve", curves), *SESSIONS]
