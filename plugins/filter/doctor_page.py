# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that renders results of the doctor as an HTML page."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_page
short_description: Render results of the doctor as an HTML page
version_added: 0.1.0
description:
  - Renders what M(wsgi.stack.doctor_info) returned for any number of hosts as one page.
  - The page is one file without scripts. It is readable without colours, on paper and as an attachment.
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
- name: Write the page
  ansible.builtin.copy:
    content: "{{ {inventory_hostname: doctor} | wsgi.stack.doctor_page }}"
    dest: doctor.html
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The HTML page.
  type: str
"""

from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _page


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_page": _page.page}
