# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that renders results of the doctor as JSON."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_json
short_description: Render results of the doctor as JSON
version_added: 0.1.0
description:
  - Renders what M(wsgi.stack.doctor_info) returned for any number of hosts as one JSON document.
  - It has C(examined_at); C(hosts), by name, each with C(state), C(summary), C(nginx), C(sites), C(findings) and C(unseen) as
    M(wsgi.stack.doctor_info) describes them; and C(not_examined), a list of hosts.
positional: _input
options:
  _input:
    description: Results of M(wsgi.stack.doctor_info) by host name.
    type: dict
    required: true
  missing:
    description: Hosts that could not be examined.
    type: list
    elements: str
    default: []
  when:
    description: The time of the examination, as text.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Write the report
  ansible.builtin.copy:
    content: "{{ {inventory_hostname: doctor} | wsgi.stack.doctor_json }}"
    dest: doctor.json
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The JSON document.
  type: str
"""

from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _document


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_json": _document.of_hosts}
