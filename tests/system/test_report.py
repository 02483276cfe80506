# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's report as a browser shows it, on a desktop and on phones, whatever is in it."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT, on

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _page
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding

BROWSER = ROOT / "tests/browser.py"
WINDOWS = ("320:light", "390:dark", "1280:light", "1280:dark")
BAD = "<script>document.title = 'taken over'</script><img src=http://192.0.2.1/x onerror=alert(1)>\x1b[31m\u202e"
LONG = "x" * 400


def site(name: str) -> dict:
    process = {"pid": 7, "server": "uwsgi", "user": "shop", "since": "2026-01-02 03:04:05", "unit": f"{name}.service"}
    process.update(program="", python="3.11", virtual_environment=f"/srv/{name}/venv/{LONG}")
    upstream = {"address": f"unix:/run/{name}/app.sock", "protocol": "uwsgi", "locations": ["/"], "code": "ok", "status": 200}
    upstream.update(waits=False, unit=f"{name}.service", process=process, log=[BAD, LONG])
    return {
        "name": name,
        "names": [name, f"www.{name}"],
        "listens": ["*:80", "*:443 TLS"],
        "defined_in": f"/etc/nginx/sites-enabled/{name}:1",
        "upstreams": [upstream],
        "variable_upstreams": [],
        "certificates": [],
        "dns": {name: "203.0.113.7 (this host)"},
        "log": [BAD],
    }


def result(*findings: Finding, sites: int = 12) -> dict:
    nginx = {"installed": True, "version": "1.26.3", "pid": 9, "workers_since": "2026-01-02 03:04:05", "configuration": "ok"}
    names = [f"site{number}.example.com" for number in range(sites)]
    found = sorted((each.result() for each in findings), key=lambda each: ("broken", "warning", "note").index(each["severity"]))
    return {"nginx": nginx, "unseen": [], "sites": [site(name) for name in names], "findings": found}


def finding(severity: str, number: int, fix: str = f"chmod g+w /srv/{LONG}") -> Finding:
    where = f"site{number}.example.com"
    return Finding(severity, "no_write_permission", f"{where} is wrong: {BAD}", (BAD, LONG), fix, where, "true")


@pytest.fixture
def seen(server, tmp_path):
    """What a browser shows of a report, by the window."""
    worse = result(finding("warning", 3), finding("broken", 7), finding("broken", 9, "Correct the record."), finding("note", 1))
    hosts = {"web-1.example.com": result(finding("warning", 2)), f"web-2.{LONG}": worse, BAD: result(sites=0)}
    server.need("chromium-headless-shell")
    server.sh(
        "cat >/tmp/report.html <<'END_OF_PAGE'\n" + _page.page(hosts, ["web-9"], "2026-01-02 03:04 +0000") + "END_OF_PAGE\n"
    )
    server.sh("cat >/tmp/browser.py <<'END_OF_PROGRAM'\n" + BROWSER.read_text() + "END_OF_PROGRAM\nmkdir -p /tmp/seen")
    return json.loads(server.sh(f"timeout 120 python3 /tmp/browser.py /tmp/report.html /tmp/seen {' '.join(WINDOWS)}"))


@on(13)
def test_a_browser_shows_the_report_on_any_screen(seen):
    assert sorted(seen) == sorted(WINDOWS)
    for window, page in seen.items():
        wrong = {name: page[name] for name in ("beyond", "small", "pale", "dead", "thin", "said") if page[name]}
        assert wrong == {}, window
        assert not page["scrolls"], window
        assert page["asked"] == ["file:///tmp/report.html"], window
        assert page["title"] == "Doctor report: 2 broken sites", window
        assert page["legend"] == "Legend", window
        assert page["reached"], window
        states = ["broken"] * 2 + ["not"] + ["warning"] * 2 + ["note"]
        assert page["listed"] == states + ["ok"] * (len(page["listed"]) - len(states)), window
        assert len(page["listed"]) == 12 * 2 + 3 + 1, window
        assert [title.split(" ", 2)[2] for title in page["sections"][:3]] == [f"site{n}.example.com ↑" for n in (7, 9, 3)], window
