#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that brings a set of configuration files into force as one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree
short_description: Bring a set of configuration files into force as one transaction
version_added: 0.1.0
description:
  - Renders templates on the controller, and compares, writes, checks and loads the whole set in one module execution.
  - What does not pass the check is put back. If the error is in the files of one app, only the files of that app are put
    back, the rest is loaded, and the app is one of the RV(failures).
  - Removes files that it wrote earlier and that are no longer wanted. A file that it did not write is never overwritten
    nor removed, unless it is identical with the wanted one; then it counts as written from now on.
  - Remembers what was last loaded, so that a run that was interrupted at any point is completed by the next one.
options:
  name:
    description:
      - The identity of the set. What it wrote and what was last loaded is remembered under this name in
        C(/var/lib/wsgi/config_tree).
      - It is the C(step) of RV(failures), too.
    type: str
    required: true
  files:
    description: The files. The directories that they lie in are made where they are missing, with the mode 0755, and removed
      when they are no longer needed.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description:
          - The template, searched as M(ansible.builtin.template) does. Whitespace before a block tag and the line break
            after it are left out (C(lstrip_blocks) and C(trim_blocks)).
          - Either O(files[].src) or O(files[].content) is required.
        type: str
      content:
        description: The text of the file, where there is no template.
        type: str
      vars:
        description: Variables for the template, in addition to those of the task.
        type: dict
        default: {}
      dest:
        description: The absolute path of the file.
        type: str
        required: true
      mode:
        description: The permissions, four octal digits.
        type: str
        default: '0644'
      owner:
        description: The name of the user that the file belongs to.
        type: str
        default: root
      group:
        description: The name of the group that the file belongs to.
        type: str
        default: root
      initial:
        description: Make the file where there is none, and leave it alone from then on, as a log that a program writes to.
        type: bool
        default: false
      apps:
        description:
          - The names of the apps that the file is there for. It is put back when all of them fail.
          - Without one, an error in the file stops the whole set.
        type: list
        elements: str
        aliases: [app]
        default: []
  links:
    description: The symbolic links.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The absolute path of the link.
        type: str
        required: true
      target:
        description: What the link leads to.
        type: str
        required: true
      apps:
        description: The names of the apps that the link is there for, as in O(files[].apps).
        type: list
        elements: str
        aliases: [app]
        default: []
  displace:
    description:
      - Paths of configuration files shipped by a Debian package, or of links to one, that have to go.
      - One that differs from what the package shipped is refused.
    type: list
    elements: path
    default: []
  validate:
    description:
      - The argument vector of a program that checks the files where they lie, such as V([nginx, -t]). It is run when
        something has to be loaded.
      - Of nginx, a warning that a server name is ignored counts as an error if the name is one of an app's.
    type: list
    elements: str
    default: []
  service:
    description:
      - The systemd unit that loads the files. It is enabled, and reloaded, or started if it is not running.
      - Mutually exclusive with O(reload).
    type: str
  reload:
    description: Argument vectors of the programs that load the files, run in this order, where no service does.
    type: list
    elements: list
  stale:
    description: Load the files even if none of them differs, because something else that the service has loaded was replaced.
    type: bool
    default: false
  needs:
    description:
      - Paths of files that O(validate) opens and that are not of the set, such as certificates.
      - In check mode one that is not there yet will be there in a real run, so O(validate) is not asked.
    type: list
    elements: path
    default: []
  unchanged_apps:
    description:
      - The names of apps for which nothing is changed, because they failed earlier in the run.
      - They keep what was last loaded, and what is new for them is left out. That goes for apps, too, of which O(files) has
        nothing any more.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
attributes:
  check_mode:
    details: O(validate) sees copies of the directories in a mount namespace of its own. Where that cannot be, as on a host where
      its program is not installed, O(service) does not run or O(needs) are not all there, RV(msg) says so.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Serve two apps
  wsgi.stack.config_tree:
    name: nginx
    files:
      - src: site.conf.j2
        dest: /etc/nginx/sites-available/shop.conf
        app: shop
        vars: {domain: shop.example.com}
      - src: site.conf.j2
        dest: /etc/nginx/sites-available/blog.conf
        app: blog
        vars: {domain: blog.example.com}
    links:
      - {path: /etc/nginx/sites-enabled/shop.conf, target: ../sites-available/shop.conf, app: shop}
      - {path: /etc/nginx/sites-enabled/blog.conf, target: ../sites-available/blog.conf, app: blog}
    displace: [/etc/nginx/sites-enabled/default]
    validate: [nginx, -t]
    service: nginx.service

- name: Declare users and directories
  wsgi.stack.config_tree:
    name: accounts
    files:
      - {src: sysusers.conf.j2, dest: /etc/sysusers.d/wsgi.conf}
      - {src: tmpfiles.conf.j2, dest: /etc/tmpfiles.d/wsgi.conf}
    reload:
      - [systemd-sysusers]
      - [systemd-tmpfiles, --create, /etc/tmpfiles.d/wsgi.conf]
"""

RETURN = r"""
written:
  description: The paths that were written and differ from what was there. What was put back as it was is not among them.
  returned: always
  type: list
  elements: str
removed:
  description: The paths that were removed.
  returned: always
  type: list
  elements: str
loaded:
  description: Whether the set was loaded in this run.
  returned: always
  type: bool
validated:
  description: Whether what is there now was checked and passed in this run.
  returned: always
  type: bool
msg:
  description: What could not be looked at in check mode, or why the module failed.
  returned: when there is something to say
  type: str
failures:
  description: The apps whose files were put back. The step fails for them, unless
    C(wsgi_defer_failures) is set.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The name of the app.
      type: str
    step:
      description: The name of the set.
      type: str
    message:
      description: One sentence for the operator, with the place of the error and the words of O(validate).
      type: str
    log:
      description: What O(validate) printed, a line an element.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, from_os_error
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _transaction, _tree
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root

APPS = {"type": "list", "elements": "str", "aliases": ["app"], "default": []}
FILE = {
    "src": {"type": "str"},
    "content": {"type": "str"},
    "vars": {"type": "dict", "default": {}},
    "dest": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "initial": {"type": "bool", "default": False},
    "apps": APPS,
}
LINK = {"path": {"type": "str", "required": True}, "target": {"type": "str", "required": True}, "apps": APPS}
OPTIONS = {
    "name": {"type": "str", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": FILE,
        "required_one_of": [["src", "content"]],
        "no_log": True,
    },
    "links": {"type": "list", "elements": "dict", "default": [], "options": LINK},
    "displace": {"type": "list", "elements": "path", "default": []},
    "validate": {"type": "list", "elements": "str", "default": []},
    "service": {"type": "str"},
    "reload": {"type": "list", "elements": "list"},
    "stale": {"type": "bool", "default": False},
    "needs": {"type": "list", "elements": "path", "default": []},
    "unchanged_apps": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(OPTIONS, mutually_exclusive=[["service", "reload"]], supports_check_mode=True)
    require_root(module)
    options = module.params
    module.no_log_values.clear()  # no_log kept the texts of all files out of the journal; in the diff they are wanted
    transaction = None
    try:
        wanted, initial = _tree.entries(options["files"], options["links"])
        request = _transaction.TreeRequest(
            name=options["name"],
            wanted=wanted,
            initial=initial,
            displace=options["displace"],
            check=options["validate"],
            service=options["service"],
            load=options["reload"] or [],
            unchanged_apps=frozenset(options["unchanged_apps"]),
            dry=module.check_mode,
            stale=options["stale"],
            needs=options["needs"],
        )
        transaction = _transaction.Transaction(request)
        transaction.converge()
    except StackError as failure:
        module.fail_json(msg=f"{failure.step}: {failure.cause}", **(transaction.result() if transaction else {}))
    except OSError as error:
        module.fail_json(msg=from_os_error(error).cause, **(transaction.result() if transaction else {}))
    module.exit_json(**transaction.result())


if __name__ == "__main__":
    main()
