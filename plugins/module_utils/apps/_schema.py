# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The kinds of values that an inventory has: each is checked, and comes back in its final form.

A check takes what was found, and raises ``ValueError`` with the words for what to use.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Collection, Sequence
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _entry_points
from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact
from ansible_collections.wsgi.stack.plugins.module_utils.host._mounts import OWN_RULES
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _syntax

Check = Callable[[Any], Any]
Schema = dict[str, tuple[Check, Any]]
"""The keys of a dictionary: how each is checked, and its default; ``REQUIRED`` if it has none."""

REQUIRED = object()

SECRETS = ("environment", "build_environment", "files", "content", "deploy_key")
"""The keys whose values are secret."""

HIDDEN = (*SECRETS, "source")
"""The keys whose values no message shows: a source that is written as a text may have the deploy key in it."""

KINDS: tuple[tuple[Any, str], ...] = (
    (dict, "a dictionary"),
    ((list, tuple), "a list"),
    (str, "a text"),
    (bool, "a boolean"),
    ((int, float), "a number"),
    (type(None), "null"),
)
"""The types of YAML, in words; a boolean of Python's is a number, too."""

OMITTED = "_OmitType"
"""The type of what ``default(omit)`` gives in a template, which ansible-core leaves for plugins to leave out."""

DOMAIN = re.compile(r"(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")

AMBIGUOUS = re.compile("[\u00df\u03c2\u200c\u200d]")
"""Characters of which the codec makes another name than browsers do: it has the rules of 2003."""

UNKNOWN_ASCII = "the one that begins with xn-- and that the registrar shows"

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

TAKEN_VARIABLE = re.compile(
    r"OLDPWD|OPTIND|PWD|LISTEN_(PID|FDS|FDNAMES)|NOTIFY_SOCKET|WATCHDOG_(PID|USEC)|UWSGI_.*|GUNICORN_(FD|PID|CMD_ARGS)"
    r"|SERVER_SOFTWARE"
)
"""Variables that an app cannot have: /bin/sh, which starts a release, uses the first three itself (dash(1)), by the others
process managers hand sockets and options to a server, and gunicorn sets the last one."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line separators, and halves of surrogate pairs, which no file can hold."""

UNPRINTABLE_LINE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""The same without the tab and the line feed, for lines of a file."""

OPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""The name of a server's option: in uWSGI's file it can be neither a comment nor a section, nor have an ``=`` in it."""

EXPANDED_IN_OPTION = re.compile(r"[$@]\(")
"""What uWSGI would replace by a variable of its environment or by the content of a file."""

ARGUMENT_BYTES = 131071
"""The longest argument or variable of a program, with its name and the ``=`` (MAX_ARG_STRLEN in execve(2), less the NUL)."""

EXPANDED_IN_PATH = re.compile(r"[$%()]")
"""What nginx or uWSGI expand in a path, and have no way to write as it is."""


def text(pattern: re.Pattern[str] | None = None, wanted: str = "a text that is not empty") -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not value or (pattern and not pattern.fullmatch(value)):
            raise ValueError(wanted)
        if CONTROL.search(value):
            raise ValueError(f"{wanted}, without control characters")
        if too_long(value):
            raise ValueError(f"{wanted} of at most {ARGUMENT_BYTES} bytes, which is the longest that Linux hands to a program")
        return str(value)

    return check


def domain(wanted: str) -> Callable[[Any], str]:
    """The check of a domain name. One with other characters than ASCII is refused with the name that nginx and DNS know."""

    def check(value: Any) -> str:
        if isinstance(value, str) and not value.isascii():
            raise ValueError(f"a domain name in ASCII (punycode), here {_ascii_domain(value) or UNKNOWN_ASCII}")
        return text(DOMAIN, wanted)(value)

    return check


def _ascii_domain(name: str) -> str:
    """A domain name in ASCII, "" if that is not known."""
    if AMBIGUOUS.search(name):
        return ""
    try:
        found = name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
    return found if DOMAIN.fullmatch(found) else ""


def command(value: Any) -> str:
    """One or more lines for a shell; the line feeds after them, which a block of YAML has, are dropped."""
    wanted = "a shell command, of one or more lines"
    written = value.rstrip("\n") if isinstance(value, str) else value
    if not isinstance(written, str) or not written.strip():
        raise ValueError(wanted)
    if UNPRINTABLE_LINE.search(written):
        raise ValueError(f"{wanted}, without control characters")
    if too_long(written):
        raise ValueError(f"{wanted}, of at most {ARGUMENT_BYTES} bytes, which is the longest that Linux hands to a program")
    return str(written)


def refuse_unknown(app: str, names: Sequence[str], known: Collection[str] = ()) -> None:
    """Refuse the name of an app that is not in the list.

    :param names: those that can be meant
    :param known: those that are in the list, too, but absent
    :raises InventoryError: it is none of the names
    """
    if app not in names:
        near = difflib.get_close_matches(app, names, 1)
        fix = f"did you mean {near[0]}?" if near else f"the apps are {', '.join(names)}."
        why = "has state: absent" if app in known else "is not in wsgi_apps"
        raise InventoryError(f"app: {shown(app)} {why}; {fix}")


def integer(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)  # a value from the command line (-e) or from another template is a string
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return check


def quantity(pattern: re.Pattern[str], wanted: str) -> Callable[[Any], str]:
    """The check of a text that may be a number without a unit, as nginx takes it."""

    def check(value: Any) -> str:
        number = isinstance(value, int) and not isinstance(value, bool)
        return text(pattern, wanted)(str(value) if number else value)

    return check


def boolean(value: Any) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, str):
        value = words.get(value.lower())  # as from the command line (-e)
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def list_of(element: Check) -> Callable[[Any], list[Any]]:
    def check(value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise ValueError("a list")
        return [_checked(element, item) for item in value]

    return check


def one_of(*choices: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices) if len(choices) > 1 else choices[0])
        return str(value)

    return check


def dictionary(schema: Schema) -> Callable[[Any], dict[str, Any]]:
    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("a dictionary with " + ", ".join(schema))
        return fill(value, schema)

    return check


def entry_point(value: Any) -> str:
    written = text(wanted=_entry_points.WANTED)(value)
    _entry_points.parse(written)
    return written


def path_inside(value: Any) -> str:
    wanted = "a path inside the source, relative and without '..'"
    path = os.path.normpath(text(wanted=wanted)(value))
    if os.path.isabs(path) or path.split(os.sep)[0] == "..":
        raise ValueError(wanted)
    if EXPANDED_IN_PATH.search(path) or path != path.strip():
        raise ValueError(f"{wanted}, without leading or trailing blanks and without $ % ( )")
    return path


def path_on_host(value: Any) -> str:
    wanted = "an absolute path of letters, digits, '.', '_' and '-', without '.' and '..' as names in it"
    path = text(re.compile(r"(/[A-Za-z0-9._-]+)+/?"), wanted)(value)
    if {".", ".."} & set(path.split("/")):
        raise ValueError(wanted)
    path = os.path.normpath(path)
    if any(f"{path}/".startswith(f"{own}/") for own in OWN_RULES):
        raise ValueError(f"{wanted}, and outside {', '.join(OWN_RULES)}, where every app writes as it may")
    return path


def files(value: Any) -> dict[str, dict[str, str | None]]:
    """Files by their path inside the source, each with its ``content`` or with the ``src`` of a template."""
    wanted = "a dictionary of paths inside the source, each with content or src"
    if not isinstance(value, dict):
        raise ValueError(wanted)
    found: dict[str, dict[str, str | None]] = {}
    for name, file in value.items():
        try:
            path = path_inside(name)
        except ValueError as error:
            raise ValueError(f"{wanted}; {shown_key(name)} is not {error}") from None
        if not isinstance(file, dict):
            raise ValueError(f"{wanted}; {path} has neither")
        try:
            filled = fill(file, FILE)
        except InventoryError as error:
            raise InventoryError(f"{shown(path)}.{error}") from None
        if (filled["content"] is None) == (filled["src"] is None):
            raise ValueError(f"{wanted}; {path} has {'neither' if filled['src'] is None else 'both'}")
        if path == "." or path in found:
            raise ValueError(f"{wanted}; {path} is {'the source itself' if path == '.' else 'there twice'}")
        found[path] = filled
    for path in found:
        above = next((other for other in found if path.startswith(f"{other}/")), None)
        if above:
            raise ValueError(f"{wanted}; {above} cannot be a file, since {path} is in it")
    return found


def content(value: Any) -> str:
    """The text of a file, which may be empty."""
    if not isinstance(value, str) or not storable(value):
        raise ValueError("a text (of a dictionary: to_json, to_nice_yaml)")
    return value


FILE: Schema = {"content": (content, None), "src": (text(), None)}


def path_of_either(value: Any) -> str:
    """A path inside the source, or one on the controller, which is absolute or begins with ``~``."""
    if isinstance(value, str) and on_controller(value):
        return text()(value)
    try:
        return path_inside(value)
    except ValueError as error:
        raise ValueError(f"{error}, or an absolute one on the controller") from None


def on_controller(path: str) -> bool:
    """Whether a path is one on the controller, see ``path_of_either``."""
    return path.startswith(("/", "~"))


def variables(value: Any) -> dict[str, str]:
    wanted = "a dictionary of variable names (letters, digits, underscores) and texts"
    if not isinstance(value, dict):
        raise ValueError(wanted)
    checked = {}
    for name, content in value.items():
        if not isinstance(name, str) or not VARIABLE.fullmatch(name):
            raise ValueError(f"{wanted}; {shown_key(name)} is not a name")
        if TAKEN_VARIABLE.fullmatch(name):
            raise ValueError(f"{wanted}; {name} is used by what starts the app, so give yours another name")
        # The text of a decimal number or a boolean is ambiguous: 1.10 or 1.1, True or 1.
        if isinstance(content, bool) or not isinstance(content, (str, int)):
            raise ValueError(f"{wanted}; the value of {name} is not a text, so put it in quotes")
        if not storable(str(content)):
            raise ValueError(f"{wanted}; the value of {name} has a character that no variable can have, such as NUL")
        if too_long(f"{name}={content}"):
            raise ValueError(f"{wanted}; the value of {name} is longer than Linux hands to a program ({ARGUMENT_BYTES} bytes)")
        checked[str(name)] = str(content)
    return checked


def too_long(value: str) -> bool:
    """Whether a text is longer than an argument or a variable of a program can be."""
    return len(value.encode(errors="surrogatepass")) > ARGUMENT_BYTES


def storable(value: str) -> bool:
    """Whether a text can be written to a file and given to a program: no NUL, no half of a surrogate pair."""
    return not re.search(r"[\0\ud800-\udfff]", value)


def options(value: Any) -> dict[str, Any]:
    wanted = "a dictionary of the server's options: texts, numbers, booleans, or lists of them for an option given more than once"
    if not isinstance(value, dict):
        raise ValueError(wanted)
    for name, content in value.items():
        if not isinstance(name, str) or not OPTION.fullmatch(name):
            raise ValueError(f"{wanted}; {shown(name)} is not an option's name")
        for item in content if isinstance(content, list) else [content]:
            if not isinstance(item, (str, int, float)) or (isinstance(item, float) and not math.isfinite(item)):
                raise ValueError(f"{wanted}; the value of {name} is something else")
            if isinstance(item, str) and (CONTROL.search(item) or item != item.strip() or EXPANDED_IN_OPTION.search(item)):
                raise ValueError(
                    f"{wanted}; the value of {name} has control characters, blanks around it, or $( or @(, which uWSGI expands"
                )
    return dict(value)


def lines(value: Any) -> list[str]:
    wanted = "a list of lines"
    if not isinstance(value, (list, tuple)) or not all(isinstance(line, str) for line in value):
        raise ValueError(wanted)
    if any(UNPRINTABLE_LINE.search(line) for line in value):
        raise ValueError(f"{wanted}, without control characters")
    return [str(line) for line in value]


def directives(value: Any) -> list[str]:
    """Lines of nginx's configuration that leave the block that they are in neither early nor open."""
    found = lines(value)
    text = "\n".join(found)
    inside = _syntax.parse(f"location / {{\n{text}\n}}\nend;", "")
    ended = _syntax.parse(f"{text}\nend;", "")
    if [directive.name for directive in inside] != ["location", "end"] or ended[-1].name != "end" or ended[-1].arguments:
        raise ValueError("a list of lines with whole directives of nginx, each closed by ; or {}, with every quote closed")
    return found


def given(value: Any) -> Any:
    """A value without what ``default(omit)`` has left out of it, at any depth. Pure."""
    if isinstance(value, dict):
        return {key: given(each) for key, each in value.items() if type(each).__name__ != OMITTED}
    if isinstance(value, (list, tuple)):
        return [given(each) for each in value if type(each).__name__ != OMITTED]
    return value


def fill(found: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """A dictionary with every key of its schema.

    :raises InventoryError: a key that is unknown, missing or wrong; the message begins with it
    """
    for key in found:
        if key not in schema:
            near = difflib.get_close_matches(str(key), schema, 1)
            fix = f"did you mean {near[0]}?" if near else "the keys are " + ", ".join(schema) + "."
            raise InventoryError(f"{key if VARIABLE.fullmatch(str(key)) else shown_key(key)}: unknown key; {fix}")
    filled = {}
    for key, (check, default) in schema.items():
        value = found.get(key)
        if value is None and default is REQUIRED:
            raise InventoryError(f"{key}: not given, and there is no default; add it.")
        value = default if value is None else value
        filled[key] = None if value is None else checked_key(key, check, value)
    return filled


def checked_key(key: str, check: Check, value: Any) -> Any:
    """The value of a key in its final form; an ``InventoryError`` that names the key if it is invalid."""
    try:
        return check(value)
    except InventoryError as error:
        raise InventoryError(f"{key}.{error}") from None
    except ValueError as error:
        found = "the value, which is not shown," if key in HIDDEN else shown(value)
        raise InventoryError(f"{key}: {found} is invalid; use {error}.") from None


def _checked(check: Check, value: Any) -> Any:
    try:
        return check(value)
    except InventoryError:
        raise
    except ValueError as error:
        raise ValueError(f"a list, each {error}") from None


def kind(value: Any) -> str:
    """The type of what was found, in words."""
    return next((name for types, name in KINDS if isinstance(value, types)), f"a {type(value).__name__}")


def shown(value: Any) -> str:
    """What was found, as a message quotes it, without what may be secret: a wrong indentation or a missing hyphen brings secrets
    into any dictionary; a text of several lines can be a private key or such a dictionary, and a URL has credentials.
    """
    if isinstance(value, dict):
        return kind(value)
    if isinstance(value, str) and "\n" in value.rstrip("\n"):
        return "a text of several lines"
    quoted = f"[{', '.join(map(shown, value))}]" if isinstance(value, (list, tuple)) else _redact.redactor()(repr(value))
    return quoted if len(quoted) <= 80 else quoted[:77] + "..."


def shown_key(key: Any) -> str:
    """A key as a message quotes it. In YAML, ``{NAME=value}`` and ``{NAME:value}`` are keys, and what follows may be secret."""
    return shown(re.split("[=:]", key)[0] if isinstance(key, str) else key)


def private_key(value: Any) -> str:
    if not isinstance(value, str) or "PRIVATE KEY-----" not in value or not storable(value):
        raise ValueError("the text of a private key in OpenSSH's or PEM form (for a file: lookup('ansible.builtin.file', ...))")
    return value.rstrip("\n") + "\n"
