#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that says whether nginx can use a socket, and if not, why not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: socket_access
short_description: Say whether nginx can talk to a socket, and if not, what is in the way
version_added: 0.1.0
description:
  - Answers why it is a 502. For each socket it says whether a user can talk to it, and if not, the first thing in the way and the
    smallest change that fixes it.
  - Takes the user and the groups from the running nginx workers, for they need not be those of the user database. Looks at every
    component of the path as those workers see it, in their mount namespace, with symbolic links and access control lists. Then
    really connects as them and sends a request.
  - Warns about what works and should not, as a socket that every user of the host can use.
  - Changes nothing, and needs nothing of this collection on the host. It does send a request to each app.
options:
  sockets:
    description: The sockets. All that the configuration of nginx passes requests to, if not given.
    type: list
    elements: dict
    suboptions:
      address:
        description: The path of a unix socket, as V(/run/shop/app.sock) or V(unix:/run/shop/app.sock), or host and port.
        type: str
        required: true
      protocol:
        description:
          - What is spoken there. V(auto) finds out. Of V(other) it is only found out whether it takes connections.
          - If V(uwsgi) or V(http) gets no answer, and the other one does, the code is V(wrong_protocol).
        type: str
        choices: [auto, uwsgi, http, other]
        default: auto
      path:
        description: The path to request.
        type: str
        default: /
      host:
        description: The name of the server to request it from.
        type: str
        default: localhost
      status:
        description: The status codes that are fine. Any below 500 if not given.
        type: list
        elements: int
        default: []
  user:
    description:
      - Who wants in, with the groups of the user database.
      - The running nginx workers if neither this nor O(pid) is given; if none run, the user of C(/etc/nginx/nginx.conf), else the
        one that nginx was built for.
    type: str
  pid:
    description: The id of the process that wants in. Its user, groups and mount namespace are taken.
    type: int
  method:
    description: The method of the requests.
    type: str
    choices: [GET, HEAD]
    default: GET
  timeout:
    description: Seconds that a socket has to answer. All of them are asked at the same time.
    type: float
    default: 5
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
notes:
  - Without root it tries the sockets only for its own user, and says in RV(unseen) what it could not look at.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Find out why it is a 502
  wsgi.stack.socket_access:
    timeout: 10
  register: access
  failed_when: access.sockets | rejectattr('code', 'equalto', 'ok') | length > 0

- name: Ask whether nginx gets at a socket that it does not name yet
  wsgi.stack.socket_access:
    sockets:
      - address: /run/shop/app.sock
        path: /health
        host: shop.example.com
        status: [200]
"""

RETURN = r"""
identity:
  description: Who wants in.
  returned: always
  type: dict
  contains:
    pid:
      description: The process that it was taken from, 0 without one.
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
      description: V(process), what a process really has, or V(database), what a new one would get.
      type: str
    note:
      description: Where it comes from, if that is not what one would think.
      type: str
sockets:
  description: What was found out of each socket.
  returned: always
  type: list
  elements: dict
  contains:
    address:
      description: V(unix:) and a path, or host and port.
      type: str
    protocol:
      description: What it speaks, as far as it answered, else what was to be spoken.
      type: str
    named_in:
      description: The file and line of nginx's configuration that names it; empty if it was given by O(sockets).
      type: str
    code:
      description:
        - V(ok), or what is in the way.
        - "Of the path: V(missing), V(dangling_link), V(link_loop), V(not_a_socket), V(wrong_socket_type), V(name_too_long),
          V(no_search_permission), V(no_write_permission), V(acl_denied), V(protected_symlink), V(group_not_effective) (the user
          was added to a group after the process had started), V(mode_not_effective) (uWSGI's configuration changed after it had
          started), V(private_tmp), V(hidden_by_namespace), V(denied_by_policy)."
        - "Of the connection: V(refused) (nobody listens), V(backlog_full), V(unresolvable), V(no_route), V(connect_timeout),
          V(failed)."
        - "Of the answer: V(wrong_protocol), V(no_answer), V(closed), V(no_http), V(bad_status)."
        - V(not_checked), if it could not be tried.
      type: str
    message:
      description: The same in words, the cause first.
      type: str
    fix:
      description: The command that fixes it, to be run as root; empty if there is none.
      type: str
    permanent_fix:
      description: What to change for it to stay like that; empty if RV(sockets[].fix) lasts.
      type: str
    component:
      description: The path of the first thing in the way.
      type: str
    status:
      description: The status code of the answer.
      type: int
    peer:
      description: The process that listens, with C(pid), C(user), C(command) and C(unit); empty if it is not known.
      type: dict
    warnings:
      description:
        - What works and should not, each with C(code), C(message) and C(fix).
        - "The codes are V(world_writable), V(other_app), V(secret_readable), V(home_open) and V(group_gone)."
      type: list
      elements: dict
    unseen:
      description: What could not be looked at.
      type: list
      elements: str
unseen:
  description: The same of all sockets.
  returned: always
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
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


def main() -> None:
    module = AnsibleModule(OPTIONS, supports_check_mode=True, mutually_exclusive=[("user", "pid")])
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
    unseen = [words for access in found for words in access.unseen]
    module.exit_json(
        changed=False,
        identity=identity.result(),
        sockets=[access.result() for access in found],
        unseen=list(dict.fromkeys(unseen)),
    )


if __name__ == "__main__":
    main()
