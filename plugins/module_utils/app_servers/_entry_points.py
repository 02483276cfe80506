# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Entry points as a user writes them: ``module:callable``, a factory with literal arguments, or a file."""

from __future__ import annotations

import ast
import inspect
import math
import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _loader

FILE = "entry_point.py"
"""The file of a release that loads its application, for all servers."""

LOADER = inspect.getsource(_loader).rstrip()
"""Its first part. Read at the import, as ``_gunicorn.HOOKS`` is."""

NAMES = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
PATH = r"(?:[\w.+@-]+/)*[\w.+@-]+"
WRITTEN = re.compile(rf"(?P<module>{PATH}):(?P<names>{NAMES})(?P<call>\(.*\))?", re.DOTALL)

WANTED = "module:callable, such as shop.wsgi:application, shop:create_app() or my-site.py:app"


@dataclass(frozen=True)
class EntryPoint:
    """Where the application of an app is.

    :ivar module: the name of a module, or the path of a file below the working directory
    :ivar names: what to look up there, with dots
    :ivar arguments: positional and named ones of a call; None without a call
    """

    module: str
    names: str
    arguments: tuple[list[Any], dict[str, Any]] | None = None


def parse(text: str) -> EntryPoint:
    """Read an entry point. Pure; nothing but literals is evaluated.

    :raises ValueError: with what to use instead
    """
    found = WRITTEN.fullmatch(text)
    if not found:
        raise ValueError(WANTED)
    module = found["module"]
    if ".." in module.split("/"):
        raise ValueError(f"{WANTED}, in the app's own directory")
    if not _loader.is_file(module) and not re.fullmatch(NAMES, module):
        raise ValueError(f"{WANTED}; {module} is not the name of a module, and a file is written as {module}.py or ./{module}")
    return EntryPoint(module, found["names"], None if found["call"] is None else _arguments(found["call"]))


def module_text(text: str, interface: str | None = None, wrapper: str = "") -> str:
    """The text of a release's ``FILE``. Pure.

    :param text: an entry point
    :param interface: ``wsgi`` or ``asgi``; found out when it is imported if not given
    :param wrapper: the function of ``_loader`` that makes of the application what the server gets, "" for the application itself
    """
    entry = parse(text)
    managed = "# Managed by wsgi.stack: a release is never changed, a new one is made."
    call = f"load({entry.module!r}, {entry.names!r}, {entry.arguments!r}, {interface!r})"
    wrapped = f"application = {wrapper}(application)\n" if wrapper else ""
    return f"{managed}\n{LOADER}\n\n\ninterface, application = {call}\n{wrapped}"


def _arguments(call: str) -> tuple[list[Any], dict[str, Any]]:
    wanted = f"{WANTED}, with literal arguments: texts, numbers, True, False, None, and lists, tuples and dictionaries of them"
    try:
        (statement,) = ast.parse(f"f{call}").body
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            raise ValueError(wanted)
        made = statement.value
        positional = [ast.literal_eval(argument) for argument in made.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in made.keywords}
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(wanted) from None
    names = {keyword.arg for keyword in made.keywords if keyword.arg}
    if not isinstance(made.func, ast.Name) or len(names) < len(made.keywords) or not _is_plain([positional, [*named.values()]]):
        raise ValueError(wanted)
    return positional, named


def _is_plain(value: Any) -> bool:
    """Whether a value is written to a file by repr() in one way only, so not a set, and is read there as it was."""
    if isinstance(value, dict):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, bytes, int)) or (isinstance(value, float) and math.isfinite(value))
