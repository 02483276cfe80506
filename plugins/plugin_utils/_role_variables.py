# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The variables of the roles that an inventory sets, checked before a role begins: by then a host would have been changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Callable

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader

from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import shown
from ansible_collections.wsgi.stack.plugins.plugin_utils._role_tasks import ROLES

KINDS = {"bool": "true or false", "int": "a number", "list": "a list", "str": "a text"}
"""The types of the roles' variables, in words."""


def problem(loader: DataLoader, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> str:
    """The first variable whose value its role would refuse, in a sentence, or "".

    The specification of a role is read only if a variable begins with its name, since reading takes time.

    :param loader: reads the specifications
    :param variables: all that the task sees, not templated
    :param template: makes the value of one. One that cannot be made yet fails the task that needs it
    """
    for role in sorted(path.name for path in ROLES.iterdir()):
        if any(name.startswith(f"{role}_") for name in variables):
            specification = loader.load_from_file(os.fspath(ROLES / role / "meta/argument_specs.yml"))
            options = specification["argument_specs"]["main"]["options"]
            for found in _problems(options, variables, template):
                return found
    return ""


def _problems(options: Mapping[str, Any], variables: Mapping[str, Any], template: Callable[[Any], Any]) -> Iterator[str]:
    for name, option in options.items():
        # The apps and their releases are the playbook's, and are checked in other places.
        if name in variables and "dict" not in (option["type"], option.get("elements")):
            try:
                value = template(variables[name])
            except AnsibleError:
                continue
            yield from filter(None, [value_problem(name, option, value)])


def value_problem(name: str, option: Mapping[str, Any], value: Any) -> str:
    """Why the value of a variable is refused, or "". Pure.

    :param option: of the variable, as in the specification of its role
    """
    described = {"type": option["type"], **{key: option[key] for key in ("elements", "choices") if key in option}}
    if not ArgumentSpecValidator({name: described}).validate({name: value}).error_messages:
        return ""
    if "choices" in option:
        return f"{name}: {shown(value)} is not valid; set it to one of {', '.join(option['choices'])}."
    kind = f"a list, of which each item is {KINDS[option['elements']]}" if "elements" in option else KINDS[option["type"]]
    return f"{name}: {shown(value)} is not valid; set it to {kind}."
