# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the documents that are made from the roles: ``python3 tests/documents.py`` writes them anew.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``, where NAME is a role, for its variables, or
``apps``, for the keys of an app.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
ROLES = sorted(path.name for path in ROOT.glob("roles/*"))
DOCUMENTS = sorted(path for pattern in ("*.md", "docs/*.md", "roles/*/README.md") for path in ROOT.glob(pattern))

TABLE = re.compile(r"(?<=<!-- table: )(\w+)( -->\n).*?(?=<!-- end of table -->)", re.DOTALL)

# Ansible's markup, as in O(app_apps[].source.git) or P(wsgi.stack.app#role).
MARKUP = re.compile(r"\b(?:RV|[BCEIMOPV])\(([^()]*)\)")


def options(role: str) -> dict[str, Any]:
    """The variables of a role, as its argument specification describes them."""
    return yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]


def defaults(role: str) -> dict[str, Any]:
    """The defaults of a role's variables."""
    return yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())


def tables() -> dict[str, str]:
    """All tables by name."""
    found = {role: _table("variable", _variables(role)) for role in ROLES}
    return {**found, "apps": _table("key", _keys(options("app")["app_apps"]["options"]))}


def rewritten(text: str) -> str:
    """A document with its tables as they should be."""
    made = tables()
    return TABLE.sub(lambda match: f"{match[1]}{match[2]}\n{made[match[1]]}\n", text)


def _variables(role: str) -> Iterator[tuple[str, ...]]:
    given = defaults(role)
    for name, option in options(role).items():
        yield name, _type(option), _shown(given.get(name)), _text(option["description"])


def _keys(found: dict[str, Any], above: str = "") -> Iterator[tuple[str, ...]]:
    for name, option in found.items():
        default = "required" if option.get("required") else _shown(option.get("default"))
        yield f"{above}{name}", _type(option), default, _text(option["description"])
        if "options" in option:
            yield from _keys(option["options"], f"{above}{name}{'[]' if option['type'] == 'list' else ''}.")


def _type(option: dict[str, Any]) -> str:
    if "choices" in option:
        return " or ".join(f"`{choice}`" for choice in option["choices"])
    return f"list of {option['elements']}" if option["type"] == "list" else str(option["type"])


def _shown(default: Any) -> str:
    return "" if default is None else f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _text(description: str | list[str]) -> str:
    text = " ".join(description if isinstance(description, list) else [description])
    return MARKUP.sub(lambda match: f"`{_reference(match[1])}`", text)


def _reference(target: str) -> str:
    return target.removeprefix("app_apps[].").removeprefix("wsgi.stack.").partition("#")[0]


def _table(first: str, rows: Iterator[tuple[str, ...]]) -> str:
    lines = [(first, "type", "default", "meaning"), ("---",) * 4, *((f"`{name}`", *rest) for name, *rest in rows)]
    cells = ([cell.replace("|", r"\|").strip() for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in cells)


if __name__ == "__main__":
    for path in DOCUMENTS:
        path.write_text(rewritten(path.read_text()))
