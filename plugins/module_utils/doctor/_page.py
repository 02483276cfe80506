# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The doctor's report on all hosts as one self-contained HTML page. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _report
from ansible_collections.wsgi.stack.plugins.module_utils.host import _display

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; border-bottom: 2px solid; padding-bottom: .2rem; }
h3 { font-size: 1.1rem; margin: 1.5rem 0 .3rem; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0; }
th { font-weight: 600; white-space: nowrap; } td { overflow-wrap: anywhere; }
.overview { width: 100%; }
.overview td, .overview th { border-bottom: 1px solid #8888; padding-top: .3rem; padding-bottom: .3rem; }
pre, code { font: .85rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; }
.finding { border: 1px solid #8888; border-left: .5rem solid; border-radius: .3rem; padding: .5rem .8rem; margin: .7rem 0; }
.finding p { margin: .2rem 0; } .state { font-weight: 700; white-space: nowrap; }
.broken { border-left-color: #c62828; } .warning { border-left-color: #e08600; } .note { border-left-color: #1976d2; }
.state.broken { color: #c62828; } .state.warning { color: #b36b00; }
.state.note { color: #1976d2; } .state.ok { color: #2e7d32; }
@media (prefers-color-scheme: dark) {
  .state.broken { color: #ff7b72; } .state.warning { color: #ffb454; }
  .state.note { color: #79b8ff; } .state.ok { color: #7ee787; }
}
@media print { body { max-width: none; } .finding { break-inside: avoid; } }
"""

LABELS = {"broken": "✖ broken", "warning": "⚠ warning", "note": "• note", "ok": "✔ ok", "not examined": "? not examined"}


def page(hosts: Mapping[str, Mapping[str, Any]], missing: Iterable[str] = (), when: str = "") -> str:
    """Render the page.

    :param hosts: results of the module ``doctor`` by host name
    :param missing: hosts that could not be examined
    :param when: the time of the examination, as text
    """
    missing = list(missing)
    rows = [_overview(host, result) for host, result in hosts.items()]
    rows += [f"<tr><th>{_text(host)}</th><td>{_state('not examined')}</td><td></td></tr>" for host in missing]
    title, head = "Doctor report", "<thead><tr><th>host</th><th>state</th><th></th></tr></thead>"
    parts = [
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{title}</h1>",
        f"<p>{_text(when)}</p>" if when else "",
        f'<table class="overview">{head}<tbody>{"".join(rows)}</tbody></table>',
        *(_host(host, result) for host, result in hosts.items()),
        "</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _overview(host: str, result: Mapping[str, Any]) -> str:
    severities = [finding["severity"] for finding in result["findings"]]
    state = severities[0] if severities else "ok"
    link = f'<a href="#{_anchor(host)}">{_text(host)}</a>'
    return f"<tr><th>{link}</th><td>{_state(state)}</td><td>{_text(_report.summary(result))}</td></tr>"


def _host(host: str, result: Mapping[str, Any]) -> str:
    findings = result["findings"]
    mine = [finding for finding in findings if not finding["site"]]
    parts = [f'<h2 id="{_anchor(host)}">{_text(host)}</h2>']
    parts.append(_section("nginx", _report.nginx_rows(result), mine))
    for site in result["sites"]:
        of_site = [finding for finding in findings if finding["site"] == site["name"]]
        parts.append(_section(site["name"], _report.rows(site), of_site))
    return "\n".join(parts)


def _section(title: str, rows: Sequence[tuple[str, str]], findings: Sequence[Mapping[str, Any]]) -> str:
    state = findings[0]["severity"] if findings else "ok"
    found = "".join(_finding(finding) for finding in findings)
    facts = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows)
    return f"<section>\n<h3>{_text(title)} {_state(state)}</h3>\n{found}<table>{facts}</table>\n</section>"


def _finding(finding: Mapping[str, Any]) -> str:
    severity = finding["severity"]
    heading = f"<p>{_state(severity)} <code>{_text(finding['code'])}</code> {_text(finding['message'])}</p>"
    evidence = "\n".join(line for line in finding["evidence"] if line)
    seen = f"<pre>{_text(evidence)}</pre>" if evidence else ""
    fix = f"<p>Fix:</p><pre>{_text(finding['fix'])}</pre>" if finding["fix"] else ""
    return f'<div class="finding {_text(severity)}">{heading}{seen}{fix}</div>\n'


def _state(state: str) -> str:
    return f'<span class="state {_text(state)}">{_text(LABELS.get(state, state))}</span>'


def _anchor(host: str) -> str:
    return re.sub(r"[^\w-]", "-", host)


def _text(value: Any) -> str:
    return html.escape(_display.shown(str(value), breaks=True))
