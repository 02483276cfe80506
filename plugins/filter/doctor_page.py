# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that makes a page of what the doctor found."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_page
short_description: Make an HTML page of what the doctor found
version_added: 0.1.0
description:
  - Makes one page of what M(wsgi.stack.doctor) returned for any number of hosts.
  - The page needs no other file and no script, and can be read without colours, printed, or sent by mail.
positional: _input
options:
  _input:
    description: What M(wsgi.stack.doctor) returned, by the name of the host.
    type: dict
    required: true
  missing:
    description: The hosts that could not be examined.
    type: list
    elements: str
    default: []
  when:
    description: When the hosts were examined, in words.
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
  description: The page.
  type: str
"""

from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _page


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_page": _page.page}
