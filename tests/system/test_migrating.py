# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/migrating.md: servers that were set up by hand, and the inventories there that replace them."""

from __future__ import annotations

import re

import pytest
import yaml
from conftest import HOSTS, ROOT, Server
from test_certificates import ROLE, certbot, pebble, served, visitor
from test_doctor import HANDMADE

PAGE = (ROOT / "docs/migrating.md").read_text().replace(".example.com", ".test")
KINDS = {"shop": "uwsgi", "wiki": "rclocal", "blog": "supervisor", "press": "gunicorn"}


def lists():
    """The variables of the inventories on the page, by the names of their apps; that of ``press`` comes twice, in order."""
    found = {}
    for text in re.findall(r"^```yaml\n# inventory.yml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        variables = yaml.safe_load(text)["wsgi"]["vars"]
        (app,) = variables.pop("wsgi_apps")
        found.setdefault(app["name"], []).append((app, variables))
    return found


def commands(section, *beginnings):
    """The commands of a section of the page that begin with one of these."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return "\n".join(
        line.strip() for line in text.splitlines() if re.match(r" +\S", line) and line.strip().startswith(beginnings)
    )


@pytest.fixture
def handmade(tmp_path_factory):
    """A host of this test's own, with a site of each kind."""
    host = Server(f"{HOSTS}migrating12", 12, tmp_path_factory.mktemp("migrating"))
    host.need("curl", "certbot", "python3-certbot-nginx", "hey")
    host.sh("cat >/usr/local/bin/handmade <<'END'\n" + HANDMADE.read_text() + "END\nchmod 0755 /usr/local/bin/handmade")
    host.sh(f"handmade packages; handmade sites {' '.join(f'sammy:{kind}:{name}' for name, kind in KINDS.items())}")
    pebble(host, "start", "first")
    pebble(host, "resolve", "127.0.0.1", *(f"{name}.test" for name in KINDS))
    by_hand = f"--nginx --non-interactive --agree-tos --register-unsafely-without-email --server {ROLE['certbot_server']}"
    certbot(host, f"{by_hand} -d press.test")
    yield host
    host.down()


def pages(host):
    ask = "curl --silent --insecure --location --header"
    return host.sh(f'for name in {" ".join(KINDS)}; do {ask} "Host: $name.test" http://$name.test/; echo; done').split("\n")[:-1]


def test_every_site_moves_and_no_visitor_notices(handmade, tmp_path):
    apps, variables = {}, {}
    for name, ((app, given), *_later) in lists().items():
        code = tmp_path / name
        code.mkdir()
        (code / "wsgi.py").write_text(handmade.sh(f"cat /home/sammy/{name}/wsgi.py"))
        (code / "greeting.py").write_text(f"TEXT = '{name} has moved'\n")
        apps[name] = {**app, "source": {"directory": str(code)}, "processes": 1}
        variables.update(given)
    assert list(apps) == list(KINDS)
    by_hand = [f"hello from {name}" for name in KINDS]
    moved = [f"{name} has moved" for name in KINDS]
    assert pages(handmade) == by_hand

    handmade.converge(list(apps.values()), wsgi_preview=True, **variables)
    assert pages(handmade) == by_hand
    for name, app in apps.items():
        assert handmade.get("/", f"{name}.test", port=app["preview_port"]) == f"200 {name} has moved"
    forgotten = handmade.play(list(apps.values()), **variables)
    assert forgotten.message.count("conflicting server name") == len(apps), forgotten.message
    assert pages(handmade) == by_hand

    certificate = served(handmade, "press.test")
    root = pebble(handmade, "root", "first")
    handmade.sh("cd /etc/nginx/sites-enabled; rm shop wiki blog press")
    with visitor(handmade, "https://press.test/", root) as seen, handmade.load("/", 4, origin="http://shop.test") as counts:
        handmade.converge(list(apps.values()), **variables)
        assert pages(handmade) == moved
        app, given = lists()["press"][1]
        apps["press"] = {**apps["press"], "tls": app["tls"]}
        handmade.converge(list(apps.values()), **variables, **ROLE)
    assert (set(seen), set(counts)) == ({"200"}, {"200"}), (seen, counts)
    assert given["certbot_agree_tos"]
    assert served(handmade, "press.test") == certificate

    # The way back, and there again.
    way_back = commands("Move a site", "ln ", "rm /etc/nginx/sites-enabled/shop.conf", "systemctl reload")
    handmade.sh(f"{way_back}\nsleep 1")
    assert pages(handmade) == [by_hand[0], *moved[1:]]
    handmade.sh("rm /etc/nginx/sites-enabled/shop")
    handmade.converge(list(apps.values()), **variables, **ROLE)

    for section in re.findall(r"^## (From .*)$", PAGE, re.MULTILINE):
        handmade.sh(commands(section, "systemctl ", "rm ", "supervisorctl ", "pkill "))
    handmade.sh("systemctl disable --quiet --now press; rm /etc/rc.local")
    handmade.sh("sleep 2")
    assert pages(handmade) == moved
    left = handmade.sh("ps -eo user,args").splitlines()
    assert [line for line in left if re.match("sammy|www-data.*(--emperor|wiki)", line)] == []
