# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The doctor's report as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings

WIDTH = 78
"""Columns of a heading."""

Row = tuple[str, str]


def lines(result: Mapping[str, Any]) -> list[str]:
    """The report on a host: a block for nginx, one for each site, and a summary line.

    :param result: what the module ``doctor`` returns, without the report
    """
    findings = result["findings"]
    found = [*_block("nginx", nginx_rows(result), [each for each in findings if not each["site"]])]
    for site in result["sites"]:
        mine = [each for each in findings if each["site"] == site["name"]]
        found += ["", *_block(site["name"], rows(site), mine)]
    return [*found, "", summary(result)]


def summary(result: Mapping[str, Any]) -> str:
    """The summary line of a host."""
    count = len(result["sites"])
    sites = f"{count} site{'' if count == 1 else 's'}"
    severities = [_findings.Finding(each["severity"], each["code"], "") for each in result["findings"]]
    return f"{sites}: {_findings.counted(severities)}"


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


def _block(title: str, facts: Sequence[Row], findings: Sequence[Mapping[str, Any]]) -> list[str]:
    state = findings[0]["severity"] if findings else "ok"
    heading = f"{title} {'.' * max(3, WIDTH - len(title) - len(state) - 2)} {state}"
    found = [heading, *_columns(facts)]
    for finding in findings:
        found += _finding(finding)
    return found


def _columns(facts: Iterable[Row]) -> list[str]:
    facts = list(facts)
    width = max((len(name) for name, _value in facts), default=0)
    found, before = [], ""
    for name, value in facts:
        found.append(f"  {'' if name == before and name.endswith('log') else name:<{width}}  {value}")
        before = name
    return found


def _finding(finding: Mapping[str, Any]) -> list[str]:
    found = [f"  {finding['severity'].upper()} {finding['code']}: {finding['message']}"]
    found += [f"    | {line}" for line in finding["evidence"] if line]
    return [*found, *([f"    fix: {finding['fix']}"] if finding["fix"] else [])]
