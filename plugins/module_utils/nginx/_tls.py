# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""nginx's directives for TLS: certificates, protocols and ciphers. Pure.

Some depend on what only the host knows: the versions of nginx and OpenSSL, and what a certificate says. For these there is a
placeholder in nginx's files, which ``config_tree`` replaces on the host by what ``directives`` says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

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


def placeholder(*words: str) -> str:
    """What stands in nginx's files for something that only the host knows, with a character for private use at both ends."""
    return f"\ue001{' '.join(words)}\ue001"


HTTP2_PARAMETER, HTTP2_LINE = placeholder("http2 parameter"), placeholder("http2")
MORE_CURVES = placeholder("more curves")

HTTP2_DIRECTIVE = (1, 25, 1)
"""Since this version of nginx ``http2`` is a directive; before, it is a parameter of ``listen``."""

REJECT_HANDSHAKE = (1, 19, 4)
"""Since this version of nginx ``ssl_reject_handshake`` rejects a name without a certificate."""

POST_QUANTUM = (3, 5)
"""Since this version of OpenSSL there is X25519MLKEM768. nginx rejects a list with a curve that its OpenSSL does not know."""


def directives(sites: Iterable[str], stapled: Collection[str], versions: Mapping[str, str]) -> dict[str, str]:
    """What each placeholder stands for on a host.

    :param sites: the names of all sites with TLS
    :param stapled: those whose certificate names an OCSP responder
    :param versions: of ``nginx`` and its ``openssl``, see ``nginx._facts.versions``. An nginx that is not known counts as new, an
        OpenSSL as old
    """
    nginx, openssl = (numbers(versions[name]) if name in versions else None for name in ("nginx", "openssl"))
    parameter = nginx is not None and nginx < HTTP2_DIRECTIVE
    rejects = nginx is None or nginx >= REJECT_HANDSHAKE
    found = {
        HTTP2_PARAMETER: " http2" if parameter else "",
        HTTP2_LINE: "" if parameter else "http2 on;",
        MORE_CURVES: "X25519MLKEM768:" if openssl is not None and openssl >= POST_QUANTUM else "",
    }
    for site in sites:
        found[refusal_line(site)] = "ssl_reject_handshake on;" if rejects else "\n".join(certificate(site))
        # No ssl_stapling_verify, which needs the CA's root certificate; browsers verify the response themselves.
        found[stapling_line(site)] = "ssl_stapling on;" if site in stapled else ""
    return found


def refusal_line(site: str) -> str:
    """Stands for the lines that refuse a name that no site has; an nginx that cannot do that presents a site's certificate."""
    return placeholder("refusal", site)


def stapling_line(site: str) -> str:
    """Stands for the line that staples OCSP responses, if the certificate of a site names a responder."""
    return placeholder("stapling", site)


def certificate(site: str) -> list[str]:
    """The lines for the certificate of a site."""
    chain, key = files(site)
    return [f"ssl_certificate {chain};", f"ssl_certificate_key {key};"]


def settings(profile: str) -> list[str]:
    """The lines for the protocol.

    :param profile: ``intermediate`` or ``modern``, as in Mozilla's Server Side TLS
    """
    found = [*PROFILES[profile], ("ssl_ecdh_curve", f"{MORE_CURVES}{CURVES}"), *SESSIONS]
    return [f"{name} {value};" for name, value in found]
