# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The programs that builds start: the host's pip, and environment variables for proxies, trust store, caches of pip and uv."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
TRUST_STORE = "/etc/ssl/certs/ca-certificates.crt"
PIP = "/usr/share/python-wheels/pip-*.whl"
"""pip as Debian has it for virtual environments: of the package python3-pip-whl, which python3-venv brings."""

PIP_CONFIGURATION = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf")


def inherited(*names: str) -> dict[str, str]:
    """The proxy variables, and those named, that are set here, as a play does with ``environment``."""
    wanted = [*PROXIES, *(name.upper() for name in PROXIES), *names]
    return {name: os.environ[name] for name in wanted if os.environ.get(name)}


def dies_with_parent(argv: Sequence[str]) -> list[str]:
    """A command that is killed when this process ends, see PR_SET_PDEATHSIG in prctl(2).

    If a run is killed, its commands would otherwise go on writing where the next run writes.
    """
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv]


def pip_command() -> list[str]:
    """The host's pip, run from its wheel, as ensurepip runs it: to make a virtual environment for it takes seconds.

    :raises StackError: there is none
    """
    wheels = sorted(glob.glob(PIP))
    if not wheels:
        raise StackError("install", f"there is no pip in {os.path.dirname(PIP)}; install the package python3-venv.")
    return ["python3", os.path.join(wheels[-1], "pip")]


def pip_environment(cache: str | None, overrides: Mapping[str, str]) -> dict[str, str]:
    """The variables of pip: quiet, and with the host's trust store instead of pip's own.

    A variable has precedence over ``/etc/pip.conf``, so PIP_CERT is not set if ``cert`` is set there.

    :param cache: a directory for pip's cache, and the home of compilers and package managers that a build calls, since the app's
        own home belongs to root; None for no cache
    :param overrides: variables that have precedence over all others
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
    """The variables of uv: quiet, with the host's trust store, and with interpreters of the host only.

    :param cache: a directory for uv's cache, and its home
    :param overrides: variables that have precedence over all others
    """
    environment = {
        **inherited(),
        "HOME": cache,
        "UV_CACHE_DIR": os.path.join(cache, "uv"),
        "UV_LINK_MODE": "copy",  # the finished build is given to root, the cache is not
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "1",
        "UV_NATIVE_TLS": "1",  # its name in earlier versions
        "NO_COLOR": "1",
    }
    return {**environment, **overrides}


def _configures_cert(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return re.search(r"^\s*cert\s*[=:]", stream.read(), re.MULTILINE) is not None
    except OSError:
        return False
