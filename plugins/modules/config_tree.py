#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write, check and load a set of configuration files as one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree
short_description: Write, check and load a set of configuration files as one transaction
version_added: 0.1.0
description:
  - Renders templates on the controller, then compares, writes, checks and loads the whole set in one module execution.
  - If the check fails, the files are put back. If the error is in the files of one app, only its files are put back, the rest
    is loaded, and the app is one of the RV(failures).
  - Removes files that it wrote earlier and that are no longer wanted. It never overwrites or removes a file that it did not
    write, unless the file is identical to the wanted one; from then on it counts as written. O(displace) and O(adjust) are for
    what packages shipped.
  - Saves what was last loaded. A run that was interrupted at any point is completed by the next run.
options:
  name:
    description:
      - The name of the set. What was written and last loaded is saved under this name in C(/var/lib/wsgi/config_tree).
      - It is also the C(step) of RV(failures).
    type: str
    required: true
  files:
    description: The files. Missing directories are created with mode 0755, and removed when they are no longer needed.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description:
          - The template, found like those of M(ansible.builtin.template). Whitespace before a block tag and the line break
            after it are removed (C(lstrip_blocks) and C(trim_blocks)).
          - Either O(files[].src) or O(files[].content) is required.
        type: str
      content:
        description: The text of the file, if there is no template.
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
        description: The user that owns the file.
        type: str
        default: root
      group:
        description: The group that owns the file.
        type: str
        default: root
      initial:
        description: Create the file if it is missing and do not change it later, such as a log that a program writes to.
        type: bool
        default: false
      apps:
        description:
          - The names of the apps that need the file. It is put back if all of them fail.
          - Without any, an error in the file stops the whole set.
        type: list
        elements: str
        aliases: [app]
        default: []
  links:
    description: The symlinks.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The absolute path of the symlink.
        type: str
        required: true
      target:
        description: The target of the symlink.
        type: str
        required: true
      apps:
        description: The names of the apps that need the symlink, as in O(files[].apps).
        type: list
        elements: str
        aliases: [app]
        default: []
  replace:
    description:
      - What the files have for a text, such as a placeholder for something that only the host knows.
      - If such a text is a line of its own, it can be replaced by several lines, with the same indentation, or by none.
    type: dict
    default: {}
  displace:
    description:
      - Configuration files of Debian packages, or symlinks to them, that are removed.
      - The module fails if one differs from what the package shipped.
    type: list
    elements: path
    default: []
  adjust:
    description:
      - Settings in configuration files of Debian packages that no other file can override, such as nginx's C(worker_connections).
      - A file is changed only if it is exactly as the package shipped it, and if O(validate) accepts the change. It does not
        become part of the set, so only M(wsgi.stack.uninstall) changes it back.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The absolute path of the file.
        type: path
        required: true
      before:
        description: The text that the package ships. Its first occurrence is replaced.
        type: str
        required: true
      after:
        description: The text that replaces it.
        type: str
        required: true
  validate:
    description:
      - The argument vector of a program that checks the files in place, such as V([nginx, -t]). It runs when something has to be
        loaded.
      - nginx's warning that a server name is ignored counts as an error if an app has the name.
    type: list
    elements: str
    default: []
  service:
    description:
      - The systemd unit that loads the files. It is enabled, and reloaded or started.
      - Mutually exclusive with O(reload).
    type: str
  reload:
    description: Argument vectors of programs that load the files, in this order, instead of a service.
    type: list
    elements: list
  stale:
    description: Load the files even if none of them changed, because something else that the service loads was replaced.
    type: bool
    default: false
  needs:
    description:
      - Files outside the set that O(validate) opens, such as certificates.
      - If one is missing in check mode, O(validate) is not run, since an earlier step would create it in a real run.
    type: list
    elements: path
    default: []
  needs_in:
    description: A directory in which O(needs) may be. RV(unneeded) tells what else is in it.
    type: path
  listens:
    description:
      - The addresses that O(service) is to listen at, as V(80) or V([::]:80).
      - If another process has one of them and there is something to load, the module fails before it writes a file, and names the
        process.
    type: list
    elements: str
    default: []
  app_listens:
    description:
      - Of each app, a list of the addresses at which O(service), or systemd if there is none, is to listen for this app alone, as
        V(127.0.0.1:8000).
      - An app of which another process has one keeps what was last loaded, and is in RV(failures) with the process.
    type: dict
    default: {}
  included_by_nginx:
    description:
      - Files of the set that nginx reads only if its main configuration file includes them.
      - If it does not, the module fails before it writes a file, and names the line to add.
    type: list
    elements: path
    default: []
  notes:
    description:
      - Of each app, what to remember of it for as long as the files of this run are in force for it. M(wsgi.stack.site_plan) uses
        what was noted in the set V(nginx).
    type: dict
    default: {}
  largest:
    description:
      - A text in the files in whose place stands the largest number in O(notes). So is one that was noted of an app that is not
        changed, such as one of another list.
    type: str
  unchanged_apps:
    description:
      - The names of apps for which nothing is changed, because they failed earlier in the run.
      - They keep what was last loaded, and new files for them are left out. This also holds for apps that are no longer in
        O(files).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps.list
  - wsgi.stack.apps.only
attributes:
  check_mode:
    details: O(validate) sees copies of the directories in a mount namespace. If that is not possible, because its program is not
      installed, O(service) does not run or one of O(needs) is missing, RV(msg) says so.
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
    adjust:
      - {path: /etc/nginx/nginx.conf, before: worker_connections 768;, after: worker_connections 1000;}
    validate: [nginx, -t]
    service: nginx.service

- name: Declare directories
  wsgi.stack.config_tree:
    name: directories
    files:
      - {src: tmpfiles.conf.j2, dest: /etc/tmpfiles.d/shop.conf}
    reload:
      - [systemd-tmpfiles, --create, /etc/tmpfiles.d/shop.conf]
"""

RETURN = r"""
written:
  description: The paths whose content changed. Files that were changed and put back are not among them.
  returned: always
  type: list
  elements: str
removed:
  description: The paths that were removed.
  returned: always
  type: list
  elements: str
unneeded:
  description: The entries of O(needs_in) in which, or in whose directories, none of O(needs) is.
  returned: always
  type: list
  elements: path
loaded:
  description: Whether the set was loaded in this run.
  returned: always
  type: bool
validated:
  description: Whether the files passed the check in this run.
  returned: always
  type: bool
msg:
  description: What could not be checked in check mode, or why the module failed.
  returned: when there is something to say
  type: str
changed_apps:
  description: The names of the apps whose files or links were written or removed.
  type: list
  elements: str
  returned: always
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
      description: The cause with its place, from the output of O(validate), and what to do.
      type: str
    log:
      description: What O(validate) printed, a line an element.
      type: list
      elements: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
