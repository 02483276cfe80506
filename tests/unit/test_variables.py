# SPDX-License-Identifier: GPL-3.0-or-later
"""Every documented variable and key of an app is set on a host, by a scenario, a test of tests/system or one of our playbooks.

Both are read, not run: what counts is a value other than the default. A value that is not written as a constant counts, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.tests import documents

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ["molecule/**/*.yml", "playbooks/**/*.yml"]
COMPUTED = object()
"""A value that is not written as a constant."""

Setting = tuple[str, Any]


def documented_variables() -> dict[str, Any]:
    """The variables of the roles, and those in the tables of README.md and docs/, with their defaults."""
    found = {}
    for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        for name, default in re.findall(r"^\| `((?:wsgi|doctor)_\w+)` \| (?:`(.*?)`)? ?\|", path.read_text(), re.MULTILINE):
            found[name] = yaml.safe_load(default) if default else None
    for role in documents.ROLES:
        found.update(documents.defaults(role))
    return found


def documented_keys() -> dict[str, dict[str, Any]]:
    """The keys of an app with their defaults, by the key that they are in: ``""``, ``source``, ``static``."""
    options = documents.options("app")["app_apps"]["options"]
    levels = {"": options, **{name: option["options"] for name, option in options.items() if "options" in option}}
    return {level: {name: option.get("default") for name, option in found.items()} for level, found in levels.items()}


VARIABLES = documented_variables()
KEYS = documented_keys()


def groups_in_yaml(node: Any) -> Iterator[list[Setting]]:
    """The mappings in a document, and the variables that are given to a command."""
    if isinstance(node, dict):
        yield list(node.items())
    if isinstance(node, str):
        yield re.findall(r"^--extra-vars=(\w+)=(\S+)$", node)
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from groups_in_yaml(item)


def groups_in_python(tree: ast.AST) -> Iterator[list[Setting]]:
    """The dictionaries in a program, the arguments that its calls name, and ``-e name=value``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values)
            yield [(key.value, constant(value)) for key, value in pairs if isinstance(key, ast.Constant)]
        elif isinstance(node, ast.Call):
            yield [(keyword.arg, constant(keyword.value)) for keyword in node.keywords if keyword.arg]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.findall(r"^(\w+)=(\S+)$", node.value)


def constant(node: ast.AST) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return COMPUTED


def read() -> tuple[set[str], set[str]]:
    """The variables and the keys of an app that are set to something other than their default.

    A group of names is one of keys if all of them are: ``python`` is a key, and an argument of many a call.
    """
    documents_read = [yaml.safe_load(path.read_text()) for pattern in SCENARIOS for path in ROOT.glob(pattern)]
    trees = [ast.parse(path.read_text()) for path in ROOT.glob("tests/system/*.py")]
    groups = [group for document in documents_read for group in groups_in_yaml(document)]
    groups += [group for tree in trees for group in groups_in_python(tree)]
    variables, keys = set(), set()
    for group in groups:
        variables |= {name for name, value in group if name in VARIABLES and value != VARIABLES[name]}
        for level, defaults in KEYS.items():
            if {name for name, _value in group} <= set(defaults):
                keys |= {f"{level}.{name}" for name, value in group if value != defaults[name]}
    return variables, keys


@pytest.fixture(scope="module")
def found():
    return read()


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_a_variable_is_set_on_a_host(found, name):
    assert name in found[0], "set it in molecule/alternative, and look at its effect in the tests of that scenario"


@pytest.mark.parametrize("name", sorted(f"{level}.{name}" for level, keys in KEYS.items() for name in keys))
def test_a_key_of_an_app_is_set_on_a_host(found, name):
    assert name in found[1], "set it in molecule/alternative, and look at its effect in the tests of that scenario"


def test_the_keys_are_those_that_are_checked():
    assert set(KEYS[""]) == set(_resolve.APP)
