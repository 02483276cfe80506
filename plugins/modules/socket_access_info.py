#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that finds out why nginx cannot use a socket."""

from __future__ import annotations

DOCUMENTATION = r"""
module: socket_access_info
short_description: Find out why nginx answers 502, whether it can connect to an app's socket
version_added: 0.1.0
description:
  - Troubleshoots 502 Bad Gateway. For each socket it returns whether a user can connect to it, and if not, the first obstacle,
    such as permission denied or connection refused, and the smallest change that fixes it.
  - Takes the user and the groups from the running nginx workers, which may differ from the user database. Checks every component
    of the path as those workers see it, in their mount namespace, with symlinks and access control lists. Then connects as
    those workers and sends a request.
  - Warns about permissions that are too open, such as a socket that every user of the host can use.
  - Changes nothing, and works on hosts that this collection has never touched. It sends a request to each app.
options:
  sockets:
    description: The sockets. By default, all upstreams in the configuration of nginx.
    type: list
    elements: dict
    suboptions:
      address:
        description: The path of a unix socket, such as V(/run/shop/app.sock) or V(unix:/run/shop/app.sock), or host and port.
        type: str
        required: true
      protocol:
        description:
          - The protocol of the server. V(auto) detects it. With V(other) only the connection is tested.
          - If V(uwsgi) or V(http) gets no answer but the other one does, the code is V(wrong_protocol).
        type: str
        choices: [auto, uwsgi, http, other]
        default: auto
      path:
        description: The path to request.
        type: str
        default: /
      host:
        description: The host name to request it from.
        type: str
        default: localhost
      status:
        description: The accepted status codes. By default, any below 500.
        type: list
        elements: int
        default: []
  user:
    description:
      - The user who connects, with the groups of the user database.
      - By default, the running nginx workers; if none run, the user in C(/etc/nginx/nginx.conf), else the one that nginx was
        built with.
    type: str
  pid:
    description: The id of a process. Its user, groups and mount namespace are used instead of those of nginx.
    type: int
  method:
    description: The method of the requests.
    type: str
    choices: [GET, HEAD]
    default: GET
  timeout:
    description: Seconds that a socket has to answer. All requests are sent at the same time.
    type: float
    default: 5
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
notes:
  - Without root it tests the sockets only for its own user, and lists in RV(unseen) what it could not examine.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Find out why nginx answers 502
  wsgi.stack.socket_access_info:
    timeout: 10
  register: access
  failed_when: access.sockets | rejectattr('code', 'equalto', 'ok') | length > 0

- name: Test whether nginx can use a socket before it is configured
  wsgi.stack.socket_access_info:
    sockets:
      - address: /run/shop/app.sock
        path: /health
        host: shop.example.com
        status: [200]
"""

RETURN = r"""
identity:
  description: The user who connects.
  returned: always
  type: dict
  contains:
    pid:
      description: The process whose identity it is, 0 without one.
      type: int
    user:
      description: The user's name.
      type: str
    uid:
      description: The user's id.
      type: int
    gid:
      description: The id of its main group.
      type: int
    groups:
      description: The names of all of its groups.
      type: list
      elements: str
    source:
      description: V(process), the ids of a running process, or V(database), those that a new process would get.
      type: str
    note:
      description: Where the identity comes from, if that is not obvious.
      type: str
sockets:
  description: The result for each socket.
  returned: always
  type: list
  elements: dict
  contains:
    address:
      description: V(unix:) and a path, or host and port.
      type: str
    protocol:
      description: The protocol it answered in, else the requested one.
      type: str
    named_in:
      description: The file and line of nginx's configuration that names it; empty if it was given by O(sockets).
      type: str
    code:
      description:
        - V(ok), or the obstacle.
        - "Of the path: V(missing), V(dangling_link), V(link_loop), V(not_a_socket), V(trailing_slash), V(wrong_socket_type),
          V(name_too_long), V(no_search_permission), V(no_write_permission), V(acl_denied), V(protected_symlink),
          V(group_not_effective) (the user was added to a group after the process had started), V(mode_not_effective) (uWSGI's
          configuration changed after it had started), V(private_tmp), V(hidden_by_namespace), V(denied_by_policy)."
        - "Of the connection: V(refused) (nothing listens), V(backlog_full), V(unresolvable), V(no_route), V(connect_timeout),
          V(failed)."
        - "Of the answer: V(wrong_protocol), V(no_answer), V(closed), V(no_http), V(bad_status)."
        - V(not_checked), if no connection could be tried.
      type: str
    message:
      description: What is wrong, one sentence.
      type: str
    fix:
      description: The command that fixes it, to be run as root; empty if none is known.
      type: str
    permanent_fix:
      description:
        - What to change so that it stays fixed, a command or a sentence; empty if RV(sockets[].fix) is permanent.
      type: str
    component:
      description: The path of the first obstacle.
      type: str
    status:
      description: The status code of the answer.
      type: int
    peer:
      description: The listening process, with C(pid), C(user), C(command) and C(unit); empty if unknown.
      type: dict
    warnings:
      description:
        - Permissions that are too open, each with C(code), C(message) and C(fix).
        - "The codes are V(world_writable), V(other_app), V(secret_readable), V(home_open) and V(group_gone)."
      type: list
      elements: dict
    unseen:
      description: What could not be examined.
      type: list
      elements: str
unseen:
  description: The same for all sockets.
  returned: always
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Module
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine, _identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Target

SOCKET = {
    "address": {"type": "str", "required": True},
    "protocol": {"type": "str", "choices": ["auto", "uwsgi", "http", "other"], "default": "auto"},
    "path": {"type": "str", "default": "/"},
    "host": {"type": "str", "default": "localhost"},
    "status": {"type": "list", "elements": "int", "default": []},
}
OPTIONS = {
    "sockets": {"type": "list", "elements": "dict", "options": SOCKET},
    "user": {"type": "str"},
    "pid": {"type": "int"},
    "method": {"type": "str", "choices": ["GET", "HEAD"], "default": "GET"},
    "timeout": {"type": "float", "default": 5},
}


def target(wanted: Mapping[str, Any]) -> Target:
    address = wanted["address"]
    address = f"unix:{address}" if address.startswith("/") else address
    return Target(address, wanted["protocol"], wanted["path"], wanted["host"], tuple(wanted["status"]))


@_bytecode.kept
def main() -> None:
    module = Module(OPTIONS, supports_check_mode=True, mutually_exclusive=[("user", "pid")])
    user, pid, sockets = module.params["user"], module.params["pid"], module.params["sockets"]
    try:
        if pid is not None:
            identity = _identity.of_process(pid)
        else:
            identity = _identity.of_user(user) if user else _identity.of_nginx()
        targets = _examine.upstreams() if sockets is None else [target(wanted) for wanted in sockets]
        found = _examine.examine(targets, identity, module.params["timeout"], module.params["method"])
    except StackError as failure:
        module.fail_json(msg=str(failure))
    unseen = [text for access in found for text in access.unseen]
    module.exit_json(
        changed=False,
        identity=identity.result(),
        sockets=[access.result() for access in found],
        unseen=list(dict.fromkeys(unseen)),
    )


if __name__ == "__main__":
    main()
