# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The doctor's report as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings, _why

WIDTH = 78
"""Columns of a heading."""

OK = "ok"
STATES = (*_findings.SEVERITIES, OK)
"""The states of a site, the worst first."""

WORDS = {"broken": "broken", "warning": "with warnings", "note": "with notes", OK: "ok"}
"""How many sites are in a state, after the number."""

HOST = "nginx and the host"
TITLE, LENGTH, FIX = 100, 1000, 4000
"""Characters that are shown of a title, of another text, and of a fix at most."""

EVIDENCE = 20
"""Lines of evidence that are shown of a finding."""

TOO_LONG = "It is too long to be shown: see findings in the module's result."

Row = tuple[str, str]


@dataclass(frozen=True)
class Block:
    """A site, or the host itself with its nginx.

    :ivar title: the name of the site, "" of the host
    :ivar state: the worst severity of its findings, or ``ok``
    :ivar rows: its facts
    """

    title: str
    state: str
    rows: Sequence[Row]
    findings: Sequence[Mapping[str, Any]]


def blocks(result: Mapping[str, Any]) -> list[Block]:
    """The host and its sites, what is broken first. Within a severity the host comes first, then sites in nginx's order.

    :param result: what the module ``doctor_info`` returns, without the report
    """
    findings = result["findings"]
    facts = [("", nginx_rows(result)), *((site["name"], rows(site)) for site in result["sites"])]
    found = []
    for title, about in facts:
        mine = [finding for finding in findings if finding["site"] == title]
        found.append(Block(title, mine[0]["severity"] if mine else OK, about, mine))
    return sorted(found, key=lambda block: STATES.index(block.state))


def lines(result: Mapping[str, Any]) -> list[str]:
    """The report on a host: a block for the host and each site, what is broken first, and a summary line.

    :param result: what the module ``doctor_info`` returns, without the report
    """
    found: list[str] = []
    for block in blocks(result):
        found += [*_lines_of(block), ""]
    return [*found, summary([result])]


def summary(results: Sequence[Mapping[str, Any]]) -> str:
    """How many sites of some hosts are in which state, and what is found of the hosts themselves."""
    every = [block for result in results for block in blocks(result)]
    states = [block.state for block in every if block.title]
    total = f"{len(states)} site{'' if len(states) == 1 else 's'}" if states else "no sites"
    counts = [f"{states.count(state)} {WORDS[state]}" for state in STATES if state in states]
    severities = [finding["severity"] for block in every if not block.title for finding in block.findings]
    general = _findings.counted([_findings.Finding(severity, "", "") for severity in severities])
    hosts = "host" if len(results) == 1 else "hosts"
    return f"{total}{': ' if counts else ''}{', '.join(counts)}" + (f"; the {hosts}: {general}" if severities else "")


def bounded(value: Any, limit: int = LENGTH) -> str:
    """A text from the host, cut if it is long."""
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"


def fixes(finding: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fixes of a finding, each with its label. One that is too long is not shown: part of a command is another one."""
    quick = finding.get("quick_fix", "")
    named = [("advice" if _why.is_sentence(finding["fix"]) else "fix", finding["fix"]), ("meanwhile", quick)]
    return [(label, fix if len(fix) <= FIX else TOO_LONG) for label, fix in named if fix]


def evidence(finding: Mapping[str, Any]) -> list[str]:
    """The evidence of a finding."""
    found = [bounded(line) for line in finding["evidence"] if line]
    return found if len(found) <= EVIDENCE else [*found[:EVIDENCE], f"and {len(found) - EVIDENCE} more lines"]


def rows(site: Mapping[str, Any]) -> list[Row]:
    """The facts of a site: label and value."""
    found: list[Row] = [("listens", ", ".join(site["listens"])), ("defined in", site["defined_in"])]
    if len(site["names"]) > 1:
        found.append(("also", ", ".join(name or '""' for name in site["names"] if name != site["name"])))
    for upstream in site["upstreams"]:
        found += _upstream(upstream)
    found += [("upstream", f"{address} (depends on the request)") for address in site["variable_upstreams"]]
    if not site["upstreams"] and not site["variable_upstreams"]:
        found.append(("upstream", "none"))
    for certificate in site["certificates"]:
        found.append(("certificate", _certificate(certificate)))
    found += [("DNS", f"{name}: {leads}") for name, leads in site["dns"].items()]
    found += [("nginx log", line) for line in site["log"]]
    return found


def nginx_rows(result: Mapping[str, Any]) -> list[Row]:
    """The facts of nginx: label and value."""
    nginx = result["nginx"]
    if not nginx["installed"]:
        return [("nginx", "not installed")]
    running = f"process {nginx['pid']}, workers since {nginx['workers_since']}" if nginx["pid"] else "not running"
    found = [("version", nginx["version"]), ("configuration", nginx["configuration"]), ("running", running)]
    return [*found, *(("not examined", text) for text in result["unseen"])]


def _upstream(upstream: Mapping[str, Any]) -> list[Row]:
    status = f", answers {upstream['status']}" if upstream["status"] else ""
    verdict = f"{upstream['code']}{status}"
    where = ", ".join(upstream["locations"])
    found = [("upstream", f"{upstream['address']} ({upstream['protocol']}, {where}): {verdict}")]
    process = upstream["process"]
    if process:
        unit = f"supervisor program {process['program']}" if process["program"] else process["unit"] or "no unit"
        text = f"{process['server']} {process['pid']}, {unit}, as {process['user']}, since {process['since']}"
        found.append(("process", text))
        environment = process["virtual_environment"] or "no virtual environment"
        if process["python"]:
            found.append(("Python", f"{process['python']}, {environment}"))
    elif upstream["waits"]:
        found.append(("process", f"none; {upstream['unit']} starts it at the first request"))
    elif upstream["unit"]:
        found.append(("process", f"none; {upstream['unit']} should start it"))
    return [*found, *(("app log", line) for line in upstream["log"])]


def _certificate(certificate: Mapping[str, Any]) -> str:
    if not certificate["ends"]:
        return f"{certificate['path']}: {certificate['message']}"
    signed = ", self-signed" if certificate["self_signed"] else ""
    names, left = ", ".join(certificate["names"]), certificate["days_left"]
    days = "expired" if left < 0 else f"{left} day{'' if left == 1 else 's'} left"
    return f"{names} until {certificate['ends']}, {days}{signed}, {certificate['path']}"


def _lines_of(block: Block) -> list[str]:
    title = bounded(block.title or HOST, TITLE)
    found = [f"{title} {'.' * max(3, WIDTH - len(title) - len(block.state) - 2)} {block.state}", *_columns(block.rows)]
    for finding in block.findings:
        found.append(f"  {finding['severity'].upper()} {finding['code']}: {bounded(finding['message'])}")
        found += [f"    | {line}" for line in evidence(finding)]
        found += [f"    {label}: {fix}" for label, fix in fixes(finding)]
    return found


def _columns(facts: Iterable[Row]) -> list[str]:
    facts = list(facts)
    width = max((len(name) for name, _value in facts), default=0)
    found, before = [], ""
    for name, value in facts:
        found.append(f"  {'' if name == before and name.endswith('log') else name:<{width}}  {bounded(value)}")
        before = name
    return found
