# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shared settings of a host, with their defaults."""

from __future__ import annotations

DOCUMENTATION = r"""
name: settings
short_description: The settings that the roles of wsgi.stack share
version_added: 0.1.0
description:
  - Returns the shared variables C(wsgi_stack), C(wsgi_directory) and so on as one dictionary, with the default of each that is
    not set. A key is the variable's name without C(wsgi_).
  - Also returns the variables of single roles that the list of apps is checked against, and the inventory's directory.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Show where the apps are
  ansible.builtin.debug:
    msg: "{{ lookup('wsgi.stack.settings').directory }}"
"""

RETURN = r"""
_raw:
  description: >-
    C(stack), C(list), C(take_over), C(only_apps), C(directory), C(runtime_directory), C(nginx_user), C(nginx_group), C(preview),
    C(prune), C(remove_shared), C(defer_failures), C(defer_commands), C(uwsgi_install_from), C(uwsgi_plugin_source),
    C(nginx_http_ports), C(nginx_ipv6), C(nginx_default_server), C(nginx_http_directives), C(certbot_options),
    C(certbot_ca_bundle) and C(base_directory). C(of_host) has those that all lists of apps on a host share, by the names of
    their variables.
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.wsgi.stack.plugins.plugin_utils import _lookup


class LookupModule(_lookup.InventoryLookup):
    """See the documentation above."""

    def value(self, terms: list[Any], **kwargs: Any) -> dict[str, Any]:
        return self.settings()
