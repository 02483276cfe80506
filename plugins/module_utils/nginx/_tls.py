# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""nginx's directives for TLS: certificates, protocols and ciphers, depending on the installed versions. Pure."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.host._versions import numbers
from ansible_collections.wsgi.stack.plugins.module_utils.tls._sites import files

# Mozilla's Server Side TLS, 5.7, without the ciphers that need DHE parameters: browsers that have those have ECDHE too.
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
"""Since this version of nginx ``http2`` is a directive; before, it is a parameter of ``listen``."""

REJECT_HANDSHAKE = (1, 19, 4)
"""Since this version of nginx ``ssl_reject_handshake`` rejects a name without a certificate."""

POST_QUANTUM = (3, 5)
"""Since this version of OpenSSL there is X25519MLKEM768. nginx rejects a list with a curve that its OpenSSL does not know."""


def has(feature: tuple[int, ...], nginx: str | None) -> bool:
    """Whether an nginx has a feature.

    :param feature: the version that brought it, such as ``HTTP2_DIRECTIVE``
    :param nginx: the version of nginx; if it is not known, it counts as new
    """
    return not nginx or numbers(nginx) >= feature


def certificate(site: str, stapling: bool = False) -> list[tuple[str, str]]:
    """nginx's directives for the certificate of a site.

    :param stapling: whether the certificate names an OCSP responder
    """
    chain, key = files(site)
    found = [("ssl_certificate", chain), ("ssl_certificate_key", key)]
    # No ssl_stapling_verify, which needs the CA's root certificate; browsers verify the response themselves.
    return [*found, ("ssl_stapling", "on")] if stapling else found


def settings(profile: str, openssl: str | None = None) -> list[tuple[str, str]]:
    """nginx's directives for the protocol.

    :param profile: ``intermediate`` or ``modern``, as in Mozilla's Server Side TLS
    :param openssl: the version of nginx's OpenSSL; if it is not known, it counts as old
    """
    curves = f"X25519MLKEM768:{CURVES}" if openssl and numbers(openssl) >= POST_QUANTUM else CURVES
    return [*PROFILES[profile], ("ssl_ecdh_curve", curves), *SESSIONS]
