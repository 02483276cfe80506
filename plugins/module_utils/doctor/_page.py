# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The doctor's report on all hosts as one self-contained HTML page. Pure."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _report, _why
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._report import Block
from ansible_collections.wsgi.stack.plugins.module_utils.host import _display

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1a1a1a; --line: #bbb; --box: #f4f4f4;
  --broken: #b3261e; --warning: #8a4b00; --note: #0b57a4; --ok: #1b6b2c; --link: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --page: #141414; --text: #e8e8e8; --line: #555; --box: #222;
  --broken: #ff8a80; --warning: #ffb454; --note: #8ab8ff; --ok: #81c995; --link: #8ab8ff; } }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: .75rem; overflow-wrap: anywhere;
  background: var(--page); color: var(--text); }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.3rem; margin: 2rem 0 .5rem; border-bottom: 2px solid; }
h3 { font-size: 1.1rem; margin: 1.5rem 0 .3rem; } p { margin: .3rem 0; }
a { color: var(--link); }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li { border-bottom: 1px solid var(--line); padding: .3rem 0; }
nav a { display: inline-block; padding: .2rem 0; font-weight: 600; margin-right: .3rem; }
.state { font-weight: 700; white-space: nowrap; margin-right: .2rem; }
.state.broken { color: var(--broken); } .state.warning { color: var(--warning); }
.state.note { color: var(--note); } .state.ok { color: var(--ok); }
.finding { border: 1px solid var(--line); border-left: .4rem solid; border-radius: .3rem; padding: .4rem .7rem; margin: .6rem 0; }
.finding.broken { border-left-color: var(--broken); } .finding.warning { border-left-color: var(--warning); }
.finding.note { border-left-color: var(--note); }
pre, code { font: .9rem/1.45 ui-monospace, monospace; white-space: pre-wrap; }
pre { margin: .3rem 0; padding: .4rem .6rem; background: var(--box); border-radius: .3rem; }
dl { margin: .3rem 0; } dt { font-weight: 600; } dd { margin: 0 0 .3rem; }
summary { cursor: pointer; padding: .3rem 0; }
@media (min-width: 45rem) { body { padding: 1.5rem; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dd { margin: 0; } }
@media print { body { max-width: none; } .finding { break-inside: avoid; } .up { display: none; } }
"""

NOT_EXAMINED = "not examined"
SYMBOLS = {"broken": "✖", "warning": "⚠", "note": "•", "ok": "✔", NOT_EXAMINED: "?"}
"""What stands before a state, for those who do not see its colour."""

LEGEND = {
    "broken": "Visitors get an error now.",
    "warning": "It will break, at the next restart, reboot or on a known date, or it is dangerous.",
    "note": "Worth knowing; nothing need be wrong.",
    "ok": "Nothing was found.",
    NOT_EXAMINED: "The host could not be reached, or the examination failed.",
}
WORDS = {
    "fix": "A command for root's shell on the host. It fixes this problem for good, and changes nothing else.",
    "meanwhile": "A command that helps until the advice is taken.",
    "advice": "What to do where no command does it.",
    "site": "All that nginx serves under one name. Facts without a finding are fine.",
}
FIRST = 200
"""Characters of a message that are shown in the list of sites."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser loads and runs nothing, whatever has got into the page."""


@dataclass(frozen=True)
class Section:
    """A site or a host with its place in the page."""

    host: str
    anchor: str
    block: Block

    @property
    def title(self) -> str:
        """The name of the site, or what it is."""
        return self.block.title or _report.HOST


@dataclass
class Anchors:
    """The anchors of a page, each of which is made once."""

    taken: set[str] = field(default_factory=set)

    def new(self, name: str) -> str:
        """An anchor that looks like a name."""
        plain = re.sub(r"[^a-z0-9.]+", "-", name.lower()[: _report.TITLE]).strip("-") or "site"
        found = next(each for each in (f"{plain}{suffix}" for suffix in _suffixes()) if each not in self.taken)
        self.taken.add(found)
        return found


def _suffixes() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in itertools.count(2))


def page(hosts: Mapping[str, Mapping[str, Any]], missing: Iterable[str] = (), when: str = "") -> str:
    """Render the whole report.

    :param hosts: results of the module ``doctor_info`` by host name
    :param missing: hosts that could not be examined
    :param when: the time of the examination, as text
    """
    anchors = Anchors()
    found = {host: _sections(host, result, anchors) for host, result in hosts.items()}
    order = sorted(found, key=lambda host: _rank(found[host][1][0]))
    sections = [section for host in order for section in found[host][1]]
    broken = sum(section.block.state == "broken" for section in sections if section.block.title)
    title = f"Doctor report: {broken} broken site{'' if broken == 1 else 's'}"
    missing = list(missing)
    counted = [f"{len(hosts)} hosts"] if len(hosts) > 1 else []
    counted += [f"{len(missing)} not examined"] if missing else []
    parts = [
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f'<style>{STYLE}</style>\n</head>\n<body id="top">\n<h1>{title}</h1>',
        f"<p>{_text(', '.join([*counted, _report.summary(list(hosts.values()))]))}</p>",
        f"<p>{_text(when)}</p>" if when else "",
        _legend(),
        _list(sorted(sections, key=_rank), missing, len(hosts) > 1),
        *(_host(host, found[host][0], found[host][1]) for host in order),
        "</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _sections(host: str, result: Mapping[str, Any], anchors: Anchors) -> tuple[str, list[Section]]:
    """The anchor of a host, and its sections, what is broken first."""
    return anchors.new(host), [
        Section(host, anchors.new(f"{host}-{block.title or 'host'}"), block) for block in _report.blocks(result)
    ]


def _rank(section: Section) -> int:
    return _report.STATES.index(section.block.state)


def _list(sections: Sequence[Section], missing: Sequence[str], several: bool) -> str:
    """The list of sites, what is broken first, on whatever host."""
    rows = []
    for section in sections:
        first = section.block.findings[0]["message"] if section.block.findings else ""
        where = f"{section.title} on {section.host}" if several else section.title
        link = f'<a href="#{section.anchor}">{_text(where, _report.TITLE)}</a>'
        rows.append(f"<li>{_state(section.block.state)} {link} {_text(first, FIRST)}</li>")
    worse = sum(section.block.state == "broken" for section in sections)
    rows[worse:worse] = [f"<li>{_state(NOT_EXAMINED)} {_text(host, _report.TITLE)}</li>" for host in missing]
    return f'<nav aria-label="Sites">\n<h2>Sites</h2>\n<ul>\n{chr(10).join(rows)}\n</ul>\n</nav>'


def _legend() -> str:
    pairs = [(_state(state), meaning) for state, meaning in LEGEND.items()]
    pairs += [(_text(word), meaning) for word, meaning in WORDS.items()]
    return f"<details>\n<summary>Legend</summary>\n{_pairs((name, _text(meaning)) for name, meaning in pairs)}\n</details>"


def _host(host: str, anchor: str, sections: Sequence[Section]) -> str:
    return "\n".join([f'<h2 id="{anchor}">{_text(host, _report.TITLE)}</h2>', *(_section(section) for section in sections)])


def _section(section: Section) -> str:
    block = section.block
    found = "".join(_finding(finding) for finding in block.findings)
    facts = _pairs((_text(name), _text(value)) for name, value in block.rows)
    shown = "" if block.state == _report.OK else " open"
    up = '<a class="up" href="#top" aria-label="To the list of sites">↑</a>'
    return (
        f'<section id="{section.anchor}">\n<h3>{_state(block.state)} {_text(section.title, _report.TITLE)} {up}</h3>\n{found}'
        f"<details{shown}>\n<summary>Facts</summary>\n{facts}\n</details>\n</section>"
    )


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in pairs)}</dl>"


def _finding(finding: Mapping[str, Any]) -> str:
    severity = finding["severity"]
    parts = [f"<p>{_state(severity)} <code>{_text(finding['code'], _report.TITLE)}</code> {_text(finding['message'])}</p>"]
    seen = "\n".join(_text(line) for line in _report.evidence(finding))
    parts += [f"<pre>{seen}</pre>"] if seen else []
    for label, fix in _report.fixes(finding):
        text = _text(fix, _report.FIX)
        body = f"<p>{text}</p>" if _why.is_sentence(fix) else f'<pre class="fix">{text}</pre>'
        parts.append(f"<p><strong>{_text(label).capitalize()}:</strong></p>{body}")
    return f'<div class="finding {_text(severity)}">{"".join(parts)}</div>\n'


def _state(state: str) -> str:
    label = f"{SYMBOLS.get(state, '')} {state}".strip()
    return f'<span class="state {_text(state)}">{_text(label)}</span>'


def _text(value: Any, limit: int = _report.LENGTH) -> str:
    return html.escape(_display.shown(_report.bounded(value, limit), breaks=True))
