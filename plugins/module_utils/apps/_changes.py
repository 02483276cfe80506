# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What changed of an app, in the words of its entry in ``wsgi_apps``. All of it is pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact

DERIVED = frozenset(
    "name state user group directory runtime_directory current previous live_socket preview preview_socket protocol role upstream"
    " first_host selected stop_timeout source files".split()
)
"""Keys of a resolved app that no user writes, or that are described in another way."""

OF_STATIC = ("url", "directory", "shared", "internal", "max_age", "immutable")

WITHOUT_EFFECT = frozenset(
    "release_commands health_check.path health_check.status health_check.timeout drain_timeout keep_releases".split()
)
"""Keys whose change alone changes nothing on a host."""

PUBLIC = ("domains", "canonical_domain")
"""Keys that are shown whatever else has their values: a variable such as SESSION_COOKIE_DOMAIN may be the name of the site."""

LONGEST = 200
"""Characters of a value that are shown."""


def entry(app: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """An app as its release keeps it, to be compared with a later one. Nested keys are joined with dots.

    Of variables it has the names, with digests of the values: who may read a release's files may read its variables, too.

    :param app: resolved
    :param environment: its variables
    """
    found = {**_flat({key: value for key, value in app.items() if key not in DERIVED}), **_source(app)}
    found["files"] = sorted(app["files"])
    kept = _masked(found, environment)
    kept["environment"] = {
        name: hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:16] for name, value in environment.items()
    }
    return kept


def site(note: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """What is noted of an app that nginx serves, see ``nginx._files.SERVED``, as ``entry`` has it.

    :param environment: the app's variables, whose values may be in it
    """
    return _masked(_flat({key: value for key, value in note.items() if key not in DERIVED}), environment)


def _masked(found: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    redact = _redact.redactor(_redact.secret_values(environment))
    return {key: value if key in PUBLIC else json.loads(redact(json.dumps(value))) for key, value in found.items()}


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], revisions: tuple[Any, Any], site_keys: Collection[str]
) -> list[str]:
    """The lines that say what changes, none if nothing does.

    :param before: an ``entry``, with what is noted of its site
    :param after: an ``entry``
    :param revisions: of the code, before and after
    :param site_keys: those that are compared only if both have them
    """
    lines, effective = [], False
    for key in sorted({*before, *after} - {"environment"}):
        if key.partition(".")[0] in site_keys and not (key in before and key in after):
            continue
        old, new = before.get(key), after.get(key)
        versioned = key in ("source.version", "source.directory", "source.package")
        if old != new or (versioned and revisions[0] != revisions[1] and None not in (old, new, revisions[1])):
            effective |= key not in WITHOUT_EFFECT
            told = revisions if versioned and key != "source.package" else ("", "")
            lines.append(f"{key} {_shown(old, told[0])} -> {_shown(new, told[1])}")
    variables = _variables(before.get("environment", {}), after.get("environment", {}))
    if variables:
        lines.append(f"environment: {', '.join(variables)}")
    return lines if effective or variables else []


def _variables(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    words = []
    for name in sorted({*before, *after}):
        if name not in after:
            words.append(f"{name} removed")
        elif name not in before:
            words.append(f"{name} added")
        elif before[name] != after[name]:
            words.append(f"{name} changed")
    return words


def _source(app: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        key: value for key, value in app["source"].items() if value is not None and key not in ("kind", "known_hosts", "exclude")
    }
    return {f"source.{key}": value for key, value in kept.items()}


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key == "static":
            value = [{name: each[name] for name in OF_STATIC if each.get(name)} for each in value]
        if isinstance(value, Mapping):
            found.update({f"{key}.{name}": each for name, each in value.items()})
        else:
            found[key] = value
    return found


def _shown(value: Any, revision: Any) -> str:
    """A value as it is written, with the revision that it stands for."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        text = f"[{', '.join(value)}]"
    else:
        text = value if isinstance(value, str) else "unset" if value is None else json.dumps(value)
    code = str(revision or "")
    if re.fullmatch("[0-9a-f]{16,64}", code):
        code = code[:9]
    return f"{text[:LONGEST]} ({code})" if code and value is not None and code != text else text[:LONGEST]
