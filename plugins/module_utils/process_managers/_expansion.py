# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Placeholders in what starts servers, replaced as far as the texts themselves say by what. Pure.

The result is only searched for addresses. Nothing of it is run or shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Callable

LONGEST = 1 << 17
"""Characters of a text after replacing: one placeholder may stand for a value with others in it."""

ROUNDS = 5
"""How deep placeholders are replaced in the values of others."""

ASSIGNMENT = re.compile(
    r"(?:^|[\s;,])(?:export[ \t]+|readonly[ \t]+|Environment=)?\"?([A-Za-z_]\w{0,60})=(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"';,]*)",
    re.MULTILINE,
)
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?-([^}\n]*))?\}|([A-Za-z_]\w*))")
SPECIFIER = re.compile(r"%([inNpIthSCL%])")
EXPRESSION = re.compile(r"%\((\w+)\)s")
REFERENCE = re.compile(r"%\(([\w-]+)\)")
MAGIC = re.compile(r"%([dnps])(?!\w)|%(d)(?=\w)")
OPTION = re.compile(r"^[ \t]*([\w-]+)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def _replaced(pattern: re.Pattern[str], value: Callable[[re.Match[str]], str], text: str) -> str:
    """As ``re.sub``, but never longer than ``LONGEST``, however many placeholders stand for however long a value."""
    parts: list[str] = []
    size = end = 0
    for match in pattern.finditer(text):
        new = (text[end : match.start()], value(match))
        end = match.end()
        parts += new
        size += sum(map(len, new))
        if size > LONGEST:
            return "".join(parts)[:LONGEST]
    return ("".join(parts) + text[end:])[:LONGEST]


def assignments(text: str) -> dict[str, str]:
    """The variables that a shell script, an EnvironmentFile= or an Environment= sets, as they are written."""
    return {name: value.strip("\"'") for name, value in ASSIGNMENT.findall(text)}


def variables(text: str, known: Mapping[str, str]) -> str:
    """Replace ``$NAME``, ``${NAME}`` and ``${NAME:-default}``; what is not known stays, or becomes its default."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        return known.get(name) or (match[2] if match[2] is not None else match[0])

    for _round in range(ROUNDS):
        replaced = _replaced(VARIABLE, value, text)
        if replaced == text:
            break
        text = replaced
    return text


def specifiers(text: str, unit: str, home: str = "/root", runtime: str = "/run") -> str:
    """Replace the specifiers of a unit of systemd, see systemd.unit(5).

    :param unit: its name, ``gunicorn@shop.service``; that of a template, ``gunicorn@.service``, leaves those of the instance
    """
    stem = unit.rpartition(".")[0] or unit
    prefix, at, instance = stem.partition("@")
    values = {
        "n": unit,
        "N": stem,
        "p": prefix,
        "t": runtime,
        "h": home,
        "S": "/var/lib",
        "C": "/var/cache",
        "L": "/var/log",
        "%": "%",
    }
    if instance or not at:
        values["i"], values["I"] = instance, instance.replace("-", "/")
    return _replaced(SPECIFIER, lambda match: values.get(match[1], match[0]), text)


def supervisor(text: str, name: str, group: str, here: str) -> str:
    """Replace supervisor's expressions: of ``%(process_num)…`` the first."""
    values = {"program_name": name, "group_name": group or name, "here": here, "host_node_name": os.uname().nodename}
    text = re.sub(r"%\(process_num\)(0?\d?)d", lambda match: f"{0:{match[1]}d}" if match[1] else "0", text)
    return _replaced(EXPRESSION, lambda match: values.get(match[1], match[0]), text).replace("%%", "%")


def uwsgi(text: str, path: str) -> str:
    """Replace the placeholders and magic variables of a uWSGI configuration, ``%(option)`` and ``%n``."""
    name = os.path.basename(path)
    magic = {"d": f"{os.path.dirname(path)}/", "n": os.path.splitext(name)[0], "p": path, "s": name}
    known = dict(OPTION.findall(text))
    for _round in range(ROUNDS):
        replaced = _replaced(REFERENCE, lambda match: known.get(match[1], match[0]), text)
        if replaced == text:
            break
        text = replaced
    return _replaced(MAGIC, lambda match: magic[match[1] or match[2]], text)
