# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made from the argument specifications of the roles: ``python3 tests/documents.py`` writes it anew.

That is the schema for editors, and the tables of the documents.

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
SCHEMA = ROOT / "docs/wsgi_apps.schema.json"
DOCUMENTS = sorted(path for pattern in ("*.md", "docs/*.md", "roles/*/README.md") for path in ROOT.glob(pattern))

TABLE = re.compile(r"(?<=<!-- table: )(\w+)( -->\n).*?(?=<!-- end of table -->)", re.DOTALL)

# Ansible's markup, as in O(app_apps[].source.git) or P(wsgi.stack.app#role).
MARKUP = re.compile(r"\b(RV|[BCEIMOPV])\(((?:\\.|[^\\)])*)\)")


JSON_TYPES = {"str": "string", "int": "integer", "bool": "boolean", "list": "array", "dict": "object"}

QUANTITIES = ("client_max_body_size", "max_age")
"""Keys whose value is a text, or a number where it has no unit."""

TEMPLATE = {"type": "string", "pattern": r"\{[{%]"}
"""What Ansible has to evaluate first may stand for any value."""

PLACE = {
    # A group of an inventory has variables, hosts with variables, and groups. So has a play, but for the groups.
    "properties": {
        "vars": {"$ref": "#/definitions/variables"},
        "hosts": {"additionalProperties": {"$ref": "#/definitions/variables"}},
        "children": {"additionalProperties": {"$ref": "#/definitions/place"}},
    }
}


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


def editor_schema() -> dict[str, Any]:
    """The JSON schema with which an editor knows ``wsgi_apps`` and the variables of the roles.

    It describes a file of variables, an inventory and a playbook alike, and says nothing of other keys.
    """
    found = {name: option for role in ROLES for name, option in options(role).items()}
    own = {name: _schema_of_value(option) for name, option in found.items() if not name.endswith("_apps")}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Variables of the collection wsgi.stack",
        "allOf": [{"$ref": "#/definitions/variables"}, {"$ref": "#/definitions/place"}],
        "additionalProperties": {"$ref": "#/definitions/place"},
        "items": {"$ref": "#/definitions/place"},
        "definitions": {
            "variables": {"properties": {"wsgi_apps": _schema_of_value(found["app_apps"]), **own}},
            "place": PLACE,
        },
    }


def written(schema: dict[str, Any]) -> str:
    """A schema as it is in its file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


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
    return MARKUP.sub(lambda match: f"`{_words(match[1], match[2])}`", text)


def _words(kind: str, target: str) -> str:
    words = re.sub(r"\\(.)", r"\1", target).removeprefix("app_apps[].").removeprefix("wsgi.stack.")
    return words if kind in "BCEIV" else words.partition("#")[0]


def _table(first: str, rows: Iterator[tuple[str, ...]]) -> str:
    lines = [(first, "type", "default", "meaning"), ("---",) * 4, *((f"`{name}`", *rest) for name, *rest in rows)]
    cells = ([cell.replace("|", r"\|").strip() for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in cells)


def _schema_of_value(option: dict[str, Any]) -> dict[str, Any]:
    made = _schema_of_type(option)
    told = {"description": _text(option["description"])} if "description" in option else {}
    if "default" in option:
        told["default"] = option["default"]
    if made.get("type") == "string" and "enum" not in made:
        return {**told, **made}
    return {**told, "anyOf": [made, TEMPLATE]}


def _schema_of_type(option: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": JSON_TYPES[option["type"]]}
    if "choices" in option:
        made["enum"] = option["choices"]
    inside = _schema_of_dictionary(option) if "options" in option else None
    if option["type"] == "list":
        element = inside or _schema_of_type({"type": option["elements"]})
        made["items"] = element if element["type"] == "string" else {"anyOf": [element, TEMPLATE]}
    elif inside:
        made = inside
    return made


def _schema_of_dictionary(option: dict[str, Any]) -> dict[str, Any]:
    options = option["options"]
    made = {
        "type": "object",
        "properties": {name: _schema_of_value(inside) for name, inside in options.items()},
        "required": [name for name, inside in options.items() if inside.get("required")],
        "additionalProperties": False,
    }
    for name in QUANTITIES:
        if name in options:
            made["properties"][name]["type"] = ["string", "integer"]
    conditions = []
    for key, value, needed in option.get("required_if", []):
        has_value = {"properties": {key: {"const": value}}}
        if options[key].get("default") != value:
            has_value["required"] = [key]
        conditions.append({"if": has_value, "then": {"required": needed}})
    return {**made, **({"allOf": conditions} if conditions else {})}


if __name__ == "__main__":
    for path in DOCUMENTS:
        path.write_text(rewritten(path.read_text()))
    SCHEMA.write_text(written(editor_schema()))
