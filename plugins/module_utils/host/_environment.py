# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs that a build starts get from their surroundings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
TRUST_STORE = "/etc/ssl/certs/ca-certificates.crt"
PIP_CONFIGURATION = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf")


def inherited(*names: str) -> dict[str, str]:
    """The proxies, and the other variables named, that the play set with ``environment``."""
    wanted = [*PROXIES, *(name.upper() for name in PROXIES), *names]
    return {name: os.environ[name] for name in wanted if os.environ.get(name)}


def leashed(argv: Sequence[str]) -> list[str]:
    """A command that does not outlive the run: one that is killed would otherwise go on writing where the next run writes."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv]


def pip_environment(cache: str | None, overrides: Mapping[str, str]) -> dict[str, str]:
    """The variables of pip: quiet, with the host's trust store rather than pip's own, and ``overrides`` before all of it.

    A variable has precedence over ``/etc/pip.conf``, so a ``cert`` that is set there keeps ours away.

    :param cache: where compilers and package managers that a build calls may write what they keep in a home: the app's own
        belongs to root; nothing is kept if not given
    """
    environment = {
        **inherited(),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "NO_COLOR": "1",
    }
    if cache:
        environment.update(HOME=cache, PIP_CACHE_DIR=os.path.join(cache, "pip"))
    else:
        environment.update(PIP_NO_CACHE_DIR="1")
    store = overrides.get("SSL_CERT_FILE") or (TRUST_STORE if os.path.exists(TRUST_STORE) else None)
    if store and not any(_configures_cert(path) for path in PIP_CONFIGURATION):
        environment["PIP_CERT"] = store
    return {**environment, **overrides}


def uv_environment(cache: str, overrides: Mapping[str, str]) -> dict[str, str]:
    """The variables of uv: the host's trust store and interpreters only, and ``overrides`` before all of it."""
    environment = {
        **inherited(),
        "HOME": cache,
        "UV_CACHE_DIR": os.path.join(cache, "uv"),
        "UV_LINK_MODE": "copy",  # the build changes hands when it is done, the cache does not
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "1",
        "UV_NATIVE_TLS": "1",  # what earlier versions call it
        "NO_COLOR": "1",
    }
    return {**environment, **overrides}


def _configures_cert(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return re.search(r"^\s*cert\s*[=:]", stream.read(), re.MULTILINE) is not None
    except OSError:
        return False
