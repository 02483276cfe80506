# SPDX-License-Identifier: GPL-3.0-or-later
"""The applications of inventories/examples, in one play, as visitors use them."""

from __future__ import annotations

import yaml
from conftest import ROOT, WEBSOCKETS, on

STACKS = {
    "board": "uwsgi",
    "calendar": "uwsgi",
    "notes": "uwsgi_emperor",
    "room": "gunicorn_supervisor",
    "todo": "gunicorn_supervisor",
}

# Asks an app for a path, as a browser that keeps cookies.
ASK = r"""
jar=$(mktemp)
ask() { host=$1 path=$2; shift 2; curl -sS -b $jar -c $jar -H "Host: $host.example.com" "$@" "http://127.0.0.1$path"; }
status() { ask "$@" -o /dev/null -w '%{http_code} '; }
"""

BOARD = r"""
ask board / >/dev/null
token=$(sed -n 's/.*csrftoken[[:space:]]*//p' $jar)
echo picture >/tmp/picture.txt
status board / -F csrfmiddlewaretoken=$token -F title=First -F file=@/tmp/picture.txt
ask board / >/tmp/page
ask board "$(sed -n 's/.*<a href="\([^"]*\)">First.*/\1/p' /tmp/page)"
ask board "$(sed -n 's/.*stylesheet" href="\([^"]*\)".*/\1/p' /tmp/page)" -D - | grep -i -e ^cache-control -e font
"""

# The worker measures a picture that is added; and one that has no size, since beat asks it to.
MEASURED = r"""
measured() {
  for attempt in $(seq 300); do if ask board / | grep -o '8 bytes'; then return; fi; sleep 0.1; done
  ask board /
}
measured
cd /
runuser -u board -- /srv/wsgi/board/current/run \
  python manage.py shell -v 0 -c 'from board.models import Picture; Picture.objects.update(size=None)'
measured
"""

# Two visitors: what one says, both hear.
ROOM = """
_status, one, _frames = websocket("room.example.com", "/room")
status, _two, frames = websocket("room.example.com", "/room")
say(one, b"hello")
print(status, hear(frames))
"""

NOTES = r"""
status notes / -d text=milk
ask notes / | grep -o -e 'You wrote 1' -e '<li>.*</li>'
"""

ITEMS = r"""
status todo /api/items -H 'Content-Type: application/json' -d '{"title": "tidy"}'
ask todo /api/items
ask todo /some/route >/tmp/page
ask todo "$(sed -n 's/.*src="\([^"]*\)".*/\1/p' /tmp/page)" -D - | grep -i -e ^cache-control -e ^content-type
"""

CALENDAR = r"""
status calendar /alice/ -X PROPFIND
status calendar /alice/days/ -u alice:calendar -X MKCALENDAR
event='BEGIN:VEVENT\nUID:1\nDTSTAMP:20261128T000000Z\nDTSTART:20261128T000000Z\nSUMMARY:Party\nEND:VEVENT'
printf "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n$event\nEND:VCALENDAR\n" >/tmp/event
status calendar /alice/days/1.ics -u alice:calendar -X PUT --data-binary @/tmp/event
ask calendar /alice/days/1.ics -u alice:calendar | grep SUMMARY | tr -d '\r'
"""


# A container may have no user namespaces, which Debian's unit of Redis asks for.
REDIS = r"""
mkdir -p /etc/systemd/system/redis-server.service.d
printf '[Service]\nPrivateUsers=no\n' >/etc/systemd/system/redis-server.service.d/container.conf
"""


def examples():
    """The apps of all examples, with the paths that their inventories would give them, and the other variables."""
    apps, variables = [], {}
    for path in ROOT.glob("inventories/examples/*/inventory.yml"):
        given = yaml.safe_load(path.read_text())["wsgi"]["vars"]
        for app in given.pop("wsgi_apps"):
            if "directory" in app["source"]:
                app["source"]["directory"] = str(path.parent / app["source"]["directory"])
            for file in app.get("files", {}).values():
                if "src" in file:
                    file["src"] = str(path.parent / file["src"])
            apps.append({**app, "stack": STACKS[app["name"]]})
        variables.update(given)
    return apps, variables


KEPT = ["Cache-Control: max-age=31536000", "Cache-Control: immutable"]


@on(13)
def test_the_examples_work(server):
    apps, variables = examples()
    server.sh(REDIS)
    server.converge(apps, **variables)
    assert server.sh(ASK + BOARD).splitlines() == ["302 picture", *KEPT, "h1 { font-family: sans-serif; }"]
    assert server.sh(ASK + MEASURED).splitlines() == ["8 bytes", "8 bytes"]
    assert server.sh('exec python3 -c "$1"', WEBSOCKETS + ROOM).splitlines() == ["101 hello"]
    assert server.sh(ASK + "ask room / | grep '<h1>'; ask room /said").splitlines() == [
        "<h1>Room</h1>",
        '["The room is open.","hello"]',
    ]
    assert server.sh(ASK + NOTES).splitlines() == ["303 You wrote 1", "<li>milk</li>"]
    assert server.sh(ASK + ITEMS).splitlines() == ['201 ["tidy"]', "Content-Type: application/javascript", *KEPT]
    assert server.sh(ASK + CALENDAR).splitlines() == ["401 201 201 SUMMARY:Party"]
    assert server.converge(apps, **variables).changed == []
