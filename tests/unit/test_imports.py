# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the packages in ``module_utils``: what is lower down is imported from above, and never the other way round."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

PREFIX = "ansible_collections.wsgi.stack.plugins.module_utils"
HERE = Path(__file__).resolve().parents[2] / "plugins/module_utils"

PACKAGES = """
    _bytecode _progress _errors _app _layout host lists tls nginx config_tree accounts certbot app_servers apps build release
    uwsgi_plugin process_managers socket_access rollout doctor removal reservation status survey
""".split()
"""From the bottom up: a file imports from its own package and from those before it."""

FILES = sorted(HERE.glob("**/*.py"))


def imported(path: Path) -> set[str]:
    """The names of the modules of ours that a file imports, below ``module_utils``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            below = node.module[len(PREFIX) :].lstrip(".")
            modules = [below] if (HERE / below.replace(".", os.sep)).with_suffix(".py").is_file() else []
            found.update(modules or [".".join(filter(None, (below, alias.name))) for alias in node.names])
    return found


def package(module: str) -> str:
    return module.split(".")[0]


def test_every_package_has_its_place_in_the_order():
    assert {path.relative_to(HERE).with_suffix("").parts[0] for path in FILES} == set(PACKAGES)


def test_no_file_imports_from_a_package_above_its_own():
    upward = []
    for path in FILES:
        own = path.relative_to(HERE).with_suffix("").parts[0]
        above = sorted(module for module in imported(path) if PACKAGES.index(package(module)) > PACKAGES.index(own))
        upward += [f"{path.relative_to(HERE)} imports {module}" for module in above]
    assert upward == []


def test_no_circle_of_imports():
    graph = {".".join(path.relative_to(HERE).with_suffix("").parts): imported(path) for path in FILES}
    while graph:
        free = [module for module, needs in graph.items() if not needs & graph.keys()]
        assert free, f"a circle among {sorted(graph)}"
        for module in free:
            del graph[module]


@pytest.mark.parametrize(
    "name",
    [
        "socket_access/_ask.py",
        "socket_access/_inside.py",
        "doctor/_descriptors.py",
        "app_servers/_gunicorn_asgi.py",
        "app_servers/_gunicorn_hooks.py",
        "app_servers/_loader.py",
        "release/_import_check.py",
    ],
)
def test_a_program_that_is_sent_as_text_imports_nothing_of_ours(name):
    assert imported(HERE / name) == set()


MODULES = sorted(path for path in (HERE.parent / "modules").glob("*.py") if "\ndef main()" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_keeps_the_bytecode_of_all_that_it_imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ours = [node for node in tree.body if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX)]
    assert (ours[0].module, ours[0].names[0].name) == (PREFIX, "_bytecode")
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    assert [ast.unparse(decorator) for decorator in main.decorator_list] == ["_bytecode.kept"]
