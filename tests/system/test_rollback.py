# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: code, packages, variables, the server's configuration and the stack go together."""

from __future__ import annotations

import pytest
from conftest import on

# Tells of each of the four that make a release: its code, a package, a variable, and what its server was told.
SHOWN = """
import importlib.metadata, os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    parts = ["first code", importlib.metadata.version("itsdangerous"), os.environ["GREETING"], environ["wsgi.multithread"]]
    return ["|".join(map(str, parts)).encode()]
"""
ROLLBACK = "playbooks/rollback.yml"


@pytest.fixture
def releases(code):
    """Writes the code of one of two releases, and returns the app as it is to be deployed."""

    def write(number, **more):
        first = number == 1
        app = {
            "name": "goback",
            "source": code(SHOWN if first else SHOWN.replace("first", "second"), "goback"),
            "entry_point": "app:application",
            "packages": ["itsdangerous==2.1.2" if first else "itsdangerous==2.2.0"],
            "environment": {"GREETING": "good morning" if first else "good night"},
            "threads": 1 if first else 3,
            "mount": "/goback",
            "static": [],
        }
        return {**app, **more}

    return write


FIRST = "200 first code|2.1.2|good morning|False"
SECOND = "200 second code|2.2.0|good night|True"


def pids(server, user):
    return set(server.sh(f"pgrep -u {user}").split())


def status(server, apps, **variables):
    """The apps as the playbook tells of them, and the table that it prints."""
    play = server.play(apps, "playbooks/status.yml", **variables)
    assert play.code == 0, play.output
    assert play.changed == []
    return play.output


def row(output, app):
    """The cells of an app's row in the table, by the columns' names. A date has a blank in it."""
    lines = output.splitlines()
    head = next(line for line in lines if line.startswith("app "))
    line = next(line for line in lines if line.startswith(f"{app} "))
    starts = [0] + [at for at in range(2, len(head)) if head[at - 2 : at] == "  " and head[at] != " "]
    return {head[start:end].strip(): line[start:end].strip() for start, end in zip(starts, [*starts[1:], None])}


@on(12)
def test_all_that_makes_a_release_goes_back_together_without_a_failed_request(server, hello, releases):
    server.need("hey")
    server.converge([hello, releases(1)])
    assert server.get("/goback/") == FIRST
    server.converge([hello, releases(2)])
    assert server.get("/goback/") == SECOND
    neighbour = pids(server, "hello")

    with server.load("/goback/", 4) as load:
        play = server.play([hello, releases(2)], ROLLBACK, "-e", "app=goback")
        assert play.code == 0, play.output
        assert server.get("/goback/") == FIRST
        found = row(status(server, [hello, releases(2)]), "goback")
        assert (found["state"], found["stack"], found["release"], found["previous"]) == ("up", "uwsgi", "1", "-")
        # Who was dropped from the list goes by the next deployment, not by the way.
        play = server.play([releases(2)], ROLLBACK, "-e", "app=goback", "-e", "release=2")
        assert play.code == 0, play.output
        assert server.get("/goback/") == SECOND
        assert server.get("/").startswith("200 hello|")
    assert set(load) == {"200"}, load
    assert load["200"] > 100, load
    # To another stack, and back to the release of the former one, whatever the list says of the app by now.
    moved = releases(2, stack="gunicorn_supervisor", server_options={"backlog": 512})
    server.converge([hello, moved])
    with server.load("/goback/", 4) as load:
        found = row(status(server, [hello, moved]), "goback")
        assert (found["stack"], found["release"], found["previous"]) == ("gunicorn_supervisor", "3", "2")
        play = server.play([hello, moved], ROLLBACK, "-e", "app=goback")
        assert play.code == 0, play.output
        found = row(status(server, [hello, moved]), "goback")
        assert (found["stack"], found["release"], found["previous"]) == ("uwsgi", "2", "1")
        assert server.get("/goback/") == SECOND
    assert set(load) == {"200"}, load
    assert load["200"] > 100, load
    assert "The next run of wsgi.stack.site deploys what the inventory says again" in play.output
    assert pids(server, "hello") == neighbour
    server.converge([hello, moved])
    assert row(status(server, [hello, moved]), "goback")["stack"] == "gunicorn_supervisor"
    assert server.converge([hello, moved]).changed == []


@on(12)
def test_a_held_release_is_dropped_by_a_rollback(server, hello):
    hello = {**hello, "name": "holder", "mount": "/holder"}
    server.converge([hello])
    before = server.get("/holder/"), pids(server, "holder")
    held = [{**hello, "environment": {"GREETING": "held"}}]
    server.converge(held, wsgi_preview=True)
    assert pids(server, "holder") > before[1]
    found = row(status(server, held), "holder")
    assert (found["state"], found["release"], found["staged"], found["previous"]) == ("up", "1", "2", "-")
    play = server.play(held, ROLLBACK, "-e", "app=holder")
    assert play.code == 0, play.output
    assert (server.get("/holder/"), pids(server, "holder")) == before
    assert server.sh("find /srv/wsgi/holder/preview /run/wsgi/holder/preview.sock 2>/dev/null || true") == ""
    assert row(status(server, held), "holder")["staged"] == "-"


@on(12)
def test_a_rollback_to_nothing_is_refused_in_a_sentence(server, hello):
    apps = [{**hello, "name": "newcomer", "mount": "/newcomer"}]
    server.converge(apps)
    before = pids(server, "newcomer")
    for arguments, sentence in (
        ([], "app: missing; add -e app=NAME (newcomer)."),
        (['{"app": null}'], "app: missing; add -e app=NAME (newcomer)."),
        (["app=newcommer"], "app: 'newcommer' is not in wsgi_apps; did you mean newcomer?"),
        (["app=newcomer", "release=9"], "app newcomer: release: 9 is not on this host; it has 1."),
        (["app=newcomer"], "app newcomer: release 1 is live, and no earlier release on this host ever was; deploy the"),
    ):
        play = server.play(apps, ROLLBACK, *(word for argument in arguments for word in ("-e", argument)))
        assert play.code, play.output
        assert sentence in play.message
        assert "Finalization of task args" not in play.output
    assert play.message.startswith("app newcomer: ")
    assert pids(server, "newcomer") == before
