# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Make every site with TLS present a certificate before nginx is configured for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _facts, _tls
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites


def converge(apps: Sequence[App], given: Mapping[str, Mapping[str, str]], dry: bool) -> dict[str, Any]:
    """Make every site present a certificate, and remove those that no site presents any more.

    :param apps: resolved apps
    :param given: ``chain`` and ``key`` of the files of the controller, by the name of the site
    :param dry: check mode: change nothing
    :returns: the result of the module ``site_certificates``
    """
    sites = _sites.sites(apps)
    presented, failures = _presented.present_all(sites, given, dry)
    changed = [name for name, (before, after) in presented.items() if before != after]
    outdated = _facts.outdated(sites)
    removed = _presented.clean(sites, dry)
    return {
        "changed": bool(changed or removed),
        "sites": {name: after for name, (_before, after) in presented.items()},
        "outdated": sorted({*outdated, *(changed if dry else [])}),
        "directives": _tls.directives([site["name"] for site in sites], _facts.stapled(sites, given), _facts.versions()),
        "removed": removed,
        "failures": failures,
        "diff": {"before": _shown(presented, 0), "after": _shown(presented, 1)},
    }


def _shown(presented: Mapping[str, tuple[str, str]], which: int) -> str:
    return "".join(f"{name}: {what[which]}\n" for name, what in presented.items() if what[which])


def site_certificates(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """See ``converge``.

    :param wanted: the parameters of the module ``site_certificates``
    """
    return converge(wanted["apps"], json.loads(base64.b64decode(wanted["given"] or b"e30=")), check)


STEP = Step(
    {
        "apps": {"type": "list", "elements": "dict", "required": True},
        "given": {"type": "str", "no_log": True},
    },
    site_certificates,
)
