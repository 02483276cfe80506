# SPDX-License-Identifier: GPL-3.0-or-later
"""Two lists of apps on one host, and one app of a list at a time."""

from __future__ import annotations

import pytest
from conftest import on

ANSWER = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"{word}"]
"""

# All that a list has on a host, its processes too.
OF = r"""
for name in "$@"; do
    find "/srv/wsgi/$name" /run/wsgi/"$name" /etc /var/lib/wsgi/config_tree \
        \( -path "/srv/wsgi/$name/*" -o -path "/run/wsgi/$name/*" -o -path "/etc/*$name*" \) ! -name '*-' ! -name '*.tmp' \
        -printf '%p %m %u:%g %l %T@\n' 2>/dev/null | sort
    getent passwd "$name"; grep -h "$name" /etc/sysusers.d/wsgi.conf /etc/tmpfiles.d/wsgi.conf
    pgrep -u "$name" | sort; systemctl list-units --plain --full --no-legend "wsgi*$name*" | sort
done
"""

HTTP = {"static": [], "health_check": {"timeout": 20}}


@pytest.fixture
def app(code):
    def make(name, word=None, **more):
        source = code(ANSWER.replace("{word}", word or name), name)
        return {"name": name, "source": source, "entry_point": "app:app", "domains": [f"{name}.test"], **HTTP, **more}

    return make


def answer(server, name, port=80):
    return server.get("/", f"{name}.test", port)


@on(13, "new_server")
def test_two_lists_live_beside_each_other(new_server, app):
    server = new_server
    tls = {"tls": {"mode": "self_signed", "redirect": False}}
    first = [app("shop", drain_timeout=90, **tls), app("blog", stack="gunicorn_supervisor", bind="127.0.0.1:8004")]
    second = [
        app("wiki", preview_port=5000, domains=[f"wiki.{'long-' * 8}name.test", "wiki.test"], **tls),
        app("forum", stack="gunicorn_supervisor", bind="127.0.0.1:8005"),
    ]
    names = [each["name"] for each in (*first, *second)]
    server.converge(first)
    before = server.sh(OF, "shop", "blog")
    server.converge(second, wsgi_list="team-b", wsgi_prune=True)
    assert server.sh(OF, "shop", "blog") == before
    assert [answer(server, name) for name in names] == [f"200 {name}" for name in names]
    assert [server.sh(f"curl -s 127.0.0.1:{port}") for port in (8004, 8005)] == ["blog", "forum"]
    # The longest time to stop is that of the other list's app, and what is on no site is refused on the port of both.
    assert "TimeoutStopSec=100\n" in server.sh("cat /etc/systemd/system/wsgi-blue@.service")
    assert server.sh("curl -sk --resolve no.test:443:127.0.0.1 https://no.test/ || echo refused") == "refused\n"

    # A second run of either is one execution, and changes nothing.
    for apps, name in ((first, "default"), (second, "team-b")):
        again = server.converge(apps, "-vvv", wsgi_list=name, wsgi_prune=True)
        assert (again.changed, again.executions) == ([], 1), again.output
    assert "forum" not in server.play(first, "playbooks/status.yml").output
    refused = server.play(first, "playbooks/run.yml", app="shop", command="true", wsgi_list="team-b")
    assert "app shop belongs to the list default on this host, not to team-b" in refused.message

    # What another list has is refused before anything is touched.
    taken = {
        "name: shop is already app shop of the list default on this host": [app("shop", domains=["other.test"])],
        "domains: blog.test is already served by app blog of the list default": [app("wiki", domains=["blog.test"])],
        "bind: port 8004 is already bind of app blog of the list default": [
            app("forum", stack="gunicorn_supervisor", bind="127.0.0.1:8004")
        ],
        "preview_port: port 443 is already tls.port of app shop of the list default": [app("wiki", preview_port=443)],
    }
    whole = server.sh(OF, *names)
    for message, apps in taken.items():
        play = server.play(apps, wsgi_list="team-b", wsgi_prune=True)
        assert (play.code, play.changed) == (2, []), play.output
        assert message in play.message
    play = server.play(second, wsgi_list="team-b", wsgi_directory="/opt/wsgi")
    assert "wsgi_directory: /opt/wsgi differs from /srv/wsgi, which the list default has on this host" in play.message
    assert server.sh(OF, *names) == whole

    # One list switches TLS off: the other's sites are still not shown to those who ask for other names.
    plain = [{key: value for key, value in first[0].items() if key != "tls"}, first[1]]
    server.converge(plain)
    assert server.sh("curl -sk --resolve no.test:443:127.0.0.1 https://no.test/ || echo refused") == "refused\n"
    assert server.sh("ls /etc/ssl/wsgi; curl -sk --resolve wiki.test:443:127.0.0.1 https://wiki.test/") == "wiki\nwiki"
    assert server.converge(plain).changed == []
    server.converge(first)

    # One list loses an app, then all.
    rest = server.sh(OF, "shop", "blog")
    server.converge(second[:1], wsgi_list="team-b", wsgi_prune=True)
    server.converge([], wsgi_list="team-b", wsgi_prune=True)
    assert server.sh(OF, "shop", "blog") == rest
    assert server.sh("id wiki forum 2>&1 || true").count("no such user") == 2
    assert [answer(server, name) for name in ("shop", "blog")] == ["200 shop", "200 blog"]
    assert server.sh("systemctl restart wsgi-blue@shop nginx; sleep 1; curl -s 127.0.0.1:8004") == "blog"
    assert answer(server, "shop") == "200 shop"
    assert server.sh("ls /etc/nginx/conf.d") == "wsgi-blog.conf\nwsgi.443.conf\nwsgi.conf\n"
    assert server.converge(first).changed == []


@on(13, "new_server")
def test_one_app_of_a_list_is_deployed_alone_and_can_move(new_server, app):
    server = new_server
    apps = [app("shop"), app("blog", stack="gunicorn_supervisor", bind="127.0.0.1:8004"), app("wiki"), app("old")]
    server.converge(apps)
    kept = ["blog", "wiki", "old"]
    before = server.sh(OF, *kept)
    # Of the others, one has new code, one another domain and port, one is gone, and one is new.
    changed = [
        app("shop", "new shop"),
        app("blog", "new blog", stack="gunicorn_supervisor", bind="127.0.0.1:8004"),
        app("wiki", domains=["elsewhere.test"], tls={"mode": "self_signed"}),
        app("soon"),
    ]
    check = server.converge(changed, "--check", "--diff", app="shop", wsgi_prune=True)
    assert "elsewhere.test" not in check.output
    play = server.converge(changed, app="shop", wsgi_prune=True)
    assert "wsgi.stack.nginx : Configure the sites" not in play.changed
    assert server.sh(OF, *kept) == before
    assert [answer(server, name) for name in ("shop", *kept)] == ["200 new shop", *(f"200 {name}" for name in kept)]
    assert server.sh("id soon 2>&1 || true").count("no such user") == 1
    again = server.converge(changed, "-vvv", app="shop", wsgi_prune=True)
    assert again.changed == []

    play = server.play(changed, app="shoop")
    assert play.code == 2
    assert "app: 'shoop' is not in wsgi_apps; did you mean shop?" in play.message
    # Several, of which one has its site changed.
    server.converge(changed, app="shop,wiki", wsgi_prune=True)
    assert server.get("/", "elsewhere.test").startswith("308 ")
    assert answer(server, "blog") == "200 blog"

    # An app of another list is taken over without a break, and its old list leaves it alone.
    moving, staying = changed[:1], [changed[1], changed[2], apps[3]]
    release = server.sh("readlink /srv/wsgi/shop/current; pgrep -u shop | sort")
    server.converge(moving, wsgi_list="team-b", wsgi_take_over=["shop"])
    server.converge(staying, wsgi_prune=True)
    assert server.sh("readlink /srv/wsgi/shop/current; pgrep -u shop | sort") == release
    assert answer(server, "shop") == "200 new shop"
    assert server.converge(moving, wsgi_list="team-b").changed == []
    assert "shop" in server.play(changed[:1]).message

    # To uninstall is about the whole host, so the apps of other lists have to be named.
    refused = server.play(None, "playbooks/uninstall.yml", wsgi_remove_shared=True)
    assert "shop of the list team-b. Remove them first," in refused.message
    assert answer(server, "shop") == "200 new shop"
    play = server.play(None, "playbooks/uninstall.yml", wsgi_remove_shared=True, wsgi_take_over=["shop"])
    assert play.code == 0, play.output
    assert server.sh("ls -d /srv/wsgi /var/lib/wsgi /etc/nginx/conf.d/wsgi.conf 2>&1 || true").count("No such file") == 3
    assert server.sh("systemctl list-units --plain --no-legend 'wsgi*'; getent passwd shop blog wiki || true") == ""
