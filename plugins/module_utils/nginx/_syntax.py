# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Parse nginx's configuration language into directives. Pure; the only directive with a meaning here is ``include``."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

FILE = re.compile(r"^# configuration file (/.*):$", re.MULTILINE)
"""The line that ``nginx -T`` prints in front of each file."""


@dataclass(frozen=True)
class Directive:
    """A directive.

    :ivar arguments: without quotes and backslashes
    :ivar file: the file that it is in, ``line`` its line there
    :ivar block: the directives inside its braces, None if it has none
    """

    name: str
    arguments: tuple[str, ...]
    file: str
    line: int
    block: tuple[Directive, ...] | None = None


def split_dump(text: str) -> dict[str, str]:
    """The text of each file that ``nginx -T`` printed, by its path, in the same order: the main file is the first."""
    parts = FILE.split(text)[1:]
    found: dict[str, str] = {}
    for path, content in zip(parts[::2], parts[1::2]):
        found.setdefault(path, content[1:])  # without the line end behind the path
    return found


def parse(text: str, path: str) -> tuple[Directive, ...]:
    """The directives in the text of a file, as far as it can be understood.

    :param path: the file, for ``Directive.file``
    """
    reader = _Tokens(text)
    found: list[Directive] = []
    while reader.position < len(text):
        found += _block(reader, path)  # one closing brace too many ends nothing here
    return tuple(found)


def expand_includes(
    directives: Iterable[Directive], files: Mapping[str, str], prefix: str, around: tuple[str, ...] = ()
) -> tuple[Directive, ...]:
    """Replace each ``include`` by the directives of the files that it names.

    :param files: the text of each file, by its path
    :param prefix: the directory that relative paths start from
    :param around: the files that are being included, which are not included again
    """
    found: list[Directive] = []
    for directive in directives:
        if directive.name == "include" and directive.arguments:
            for path in _matching(os.path.join(prefix, directive.arguments[0]), files):
                if path not in around:
                    found += expand_includes(parse(files[path], path), files, prefix, (*around, path))
        elif directive.block is not None:
            found.append(replace(directive, block=expand_includes(directive.block, files, prefix, around)))
        else:
            found.append(directive)
    return tuple(found)


def walk(directives: Iterable[Directive]) -> Iterator[Directive]:
    """Directives and those inside their blocks, at any depth."""
    for directive in directives:
        yield directive
        yield from walk(directive.block or ())


def first_argument(directives: Iterable[Directive], name: str) -> str:
    """The first argument of the first directive of a name, "" if there is none."""
    return next((directive.arguments[0] for directive in directives if directive.name == name and directive.arguments), "")


def _matching(pattern: str, files: Iterable[str]) -> list[str]:
    """The paths that match a pattern of glob(7): a star matches neither a slash nor a leading dot."""
    parts = pattern.split("/")
    found = []
    for path in files:
        names = path.split("/")
        fits = len(names) == len(parts) and all(
            fnmatch.fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
            for name, part in zip(names, parts)
        )
        if path == pattern or fits:
            found.append(path)
    return sorted(found)


def _block(reader: _Tokens, path: str) -> list[Directive]:
    found: list[Directive] = []
    words: list[str] = []
    start = 0
    while True:
        token = reader.token()
        if token is None:
            return found
        kind, text, line = token
        if kind == "word":
            start = start if words else line
            words.append(text)
        elif kind == ";":
            if words:
                found.append(Directive(words[0], tuple(words[1:]), path, start))
            words = []
        elif kind == "{":
            name = words[0] if words else ""
            if name.endswith("_by_lua_block"):
                reader.skip_code()
                inside: list[Directive] = []
            else:
                inside = _block(reader, path)
            found.append(Directive(name, tuple(words[1:]), path, start or line, tuple(inside)))
            words = []
        else:
            return found


@dataclass
class _Tokens:
    """A tokenizer that works like ngx_conf_read_token() in nginx's src/core/ngx_conf_file.c."""

    text: str
    position: int = 0
    line: int = 1

    def token(self) -> tuple[str, str, int] | None:
        """The next token's kind (``word``, ``;``, ``{`` or ``}``), text and line; None at the end."""
        self._skip_blanks()
        if self.position >= len(self.text):
            return None
        character, line = self.text[self.position], self.line
        if character in ";{}":
            self.position += 1
            return character, character, line
        if character in "\"'":
            return "word", self._quoted(character), line
        return "word", self._bare(), line

    def skip_code(self) -> None:
        """Skip a block of Lua whose opening brace has been read; its strings and comments may contain braces."""
        depth = 1
        strings = re.compile(
            r"--\[(=*)\[.*?\]\1\]|--[^\n]*|\[(=*)\[.*?\]\2\]|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[{}]", re.DOTALL
        )
        for match in strings.finditer(self.text, self.position):
            depth += {"{": 1, "}": -1}.get(match[0], 0)
            if depth == 0:
                self._advance(match.end())
                return
        self._advance(len(self.text))

    def _skip_blanks(self) -> None:
        match = re.compile(r"(?:\s|#[^\n]*)*").match(self.text, self.position)
        self._advance(match.end() if match else self.position)

    def _advance(self, position: int) -> None:
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def _quoted(self, quote: str) -> str:
        match = re.compile(rf"{quote}((?:\\.|[^{quote}\\])*){quote}?", re.DOTALL).match(self.text, self.position)
        self._advance(match.end() if match else len(self.text))
        return _unescaped(match[1] if match else "")

    def _bare(self) -> str:
        match = re.compile(r"(?:\\.|\$\{|[^\s;{\\])+|\\", re.DOTALL).match(self.text, self.position)
        self._advance(match.end() if match else self.position + 1)
        return _unescaped(match[0] if match else "")


def _unescaped(text: str) -> str:
    ends = {"t": "\t", "r": "\r", "n": "\n"}
    return re.sub(r"\\([\"'\\trn])", lambda match: ends.get(match[1], match[1]), text)
