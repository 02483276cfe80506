# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the steps of this run reported of a host's apps."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run
short_description: What happened to the apps in this run so far
version_added: 0.1.0
description:
  - Returns the names of the apps of the host that failed in this run, of those whose release waits for a preview, and of those
    that changed protocol, for later steps to take or leave. Also says which roles have nothing to do.
  - Failures are known here only with C(wsgi_defer_failures). Without it, they fail the host at once.
    M(wsgi.stack.failures) fails the host for them in the end.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Request every app that did not fail
  wsgi.stack.site_probe_info:
    apps: "{{ lookup('wsgi.stack.apps') | rejectattr('name', 'in', lookup('wsgi.stack.run').failed) }}"
"""

RETURN = r"""
_raw:
  description: >-
    C(failed), the apps of which a step failed; C(staged), those that M(wsgi.stack.rollout) returned as such; C(deferred), those
    that M(wsgi.stack.release) returned as such; C(unfinished), all of these, and those whose site waits for that of a deferred
    one; C(late), those that were deferred or waited, and do not any more; C(held_up), those with a release that is not live yet,
    on any host of the play, while others are deferred; C(switching), those that M(wsgi.stack.rollout) returned as such and that
    did not fail; C(releases), the number of each app's newest release; C(idle), the roles that have nothing to do, as
    M(wsgi.stack.survey) found, and still have.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.wsgi.stack.plugins.plugin_utils import _answers, _run


class LookupModule(LookupBase):
    """See the documentation above."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        variables = variables or {}
        report = _run.report(variables["inventory_hostname"])
        return [
            {
                "failed": report.failed,
                "staged": report.staged,
                "switching": [name for name in report.switching if name not in report.failed],
                "deferred": report.deferred,
                "unfinished": report.unfinished,
                "late": report.late,
                "held_up": self._held_up(variables) if report.deferred else [],
                "releases": report.releases,
                "idle": _answers.idle(variables["inventory_hostname"]),
            }
        ]

    @staticmethod
    def _held_up(variables: dict[str, Any]) -> list[str]:
        """The apps on all hosts of the play, since one of them runs the release commands and the others wait for it."""
        names = (name for host in variables["ansible_play_batch"] for name in _run.report(host).held_up)
        return list(dict.fromkeys(names))
