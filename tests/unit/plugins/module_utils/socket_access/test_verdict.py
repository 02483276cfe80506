# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was seen of a socket to its verdict and its fix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts
from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _fix, _identity, _verdict, _warnings
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Evidence, Target
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner, SocketSetting

NAMES = {0: "root", 33: "www-data", 44: "devs", 1001: "sammy", 1002: "eve"}
MEMBERS = {0: {"root"}, 33: {"www-data"}, 44: {"sammy", "eve"}, 1001: {"sammy"}, 1002: {"eve"}}
NGINX = Identity("www-data", 33, 33, (33,), "process", 900, 812)
PATH = "/home/sammy/app.sock"
SAMMY = "runuser -u sammy --"


@pytest.fixture(autouse=True)
def database(monkeypatch):
    for module in (_verdict, _fix, _warnings, _identity):
        for name in ("user_name", "group_name"):
            monkeypatch.setattr(module, name, lambda number: NAMES.get(number, str(number)), raising=False)
    monkeypatch.setattr(_accounts, "members", lambda gid: MEMBERS[gid])
    monkeypatch.setattr(_accounts, "user_name", lambda uid: NAMES.get(uid, str(uid)))
    monkeypatch.setattr(_fix._untrusted, "is_roots_alone", lambda path: True)


def step(path, kind="directory", mode=0o755, uid=0, gid=0, **rest):
    number = [1, abs(hash(path)) % 1000]
    return {
        "path": path,
        "kind": kind,
        "mode": mode,
        "uid": uid,
        "gid": gid,
        "acl": "",
        "target": "",
        "last": False,
        "id": number,
        **rest,
    }


def way(home=0o755, end=None, **socket):
    given = {"kind": "socket", "mode": 0o666, "uid": 1001, "gid": 1001, "last": True, **socket}
    steps = [step("/"), step("/home"), step("/home/sammy", mode=home, uid=1001, gid=1001)]
    return (*steps, end or step(PATH, **given))


RUN = "/run/shop.sock"


def in_run(**socket):
    given = {"kind": "socket", "uid": 1001, "gid": 1001, "last": True, **socket}
    return step("/"), step("/run"), step(RUN, **given)


def nothing(path=PATH):
    return {"path": path, "error": "ENOENT", "last": True}


def failed(name, stage="connect", **rest):
    return {"stage": stage, "error": name, "text": name.lower(), **rest}


def answered(status):
    return {"stage": "done", "status": status}


def seen(attempts=None, inside=None, **rest):
    steps = way() if inside is None else inside
    target = Target(f"unix:{PATH}", "uwsgi", "/", "shop.test", (), rest.pop("named_in", ""))
    given = {
        "target": target,
        "identity": NGINX,
        "renewed": NGINX,
        "inside": steps,
        "outside": steps,
        "nginx_unit": "nginx.service",
    }
    return Evidence(**{**given, "attempts": attempts or {}, **rest})


def denied(inside, **rest):
    return seen({"uwsgi": failed("EACCES")}, inside, **rest)


def judged(evidence):
    verdict = _verdict.verdict(evidence)
    return verdict.code, verdict.component, _fix.fix(evidence, verdict)


SHOP = Owner("shop.service", files=("/etc/shop.ini",))
UWSGI = ListeningProcess(77, 1001, ("/usr/bin/uwsgi", "--ini", "shop.ini"), "shop.service", 1000.0)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (seen({"uwsgi": answered(200)}), ("ok", "", "")),
        (seen({"uwsgi": answered(404)}), ("ok", "", "")),
        (seen({"uwsgi": answered(400), "http": failed("EOF", "answer")}), ("ok", "", "")),
        (seen({"uwsgi": answered(502)}), ("bad_status", PATH, "")),
        (seen({"uwsgi": answered(400), "http": answered(200)}), ("wrong_protocol", PATH, "")),
        (
            seen({"uwsgi": failed("EOF", "answer"), "http": failed("EOF", "answer")}, owner=SHOP),
            ("closed", PATH, "systemctl restart shop"),
        ),
        (
            seen({"uwsgi": failed("ECONNRESET", "answer"), "http": failed("ECONNREFUSED")}, owner=SHOP),
            ("closed", PATH, "systemctl restart shop"),
        ),
        (
            seen({"uwsgi": failed("EOF", "answer"), "http": failed("ETIMEDOUT", "answer")}, owner=SHOP),
            ("closed", PATH, "systemctl restart shop"),
        ),
        (
            seen({"uwsgi": failed("ETIMEDOUT", "answer"), "http": failed("EOF", "answer")}, owner=SHOP),
            ("no_answer", PATH, "systemctl restart shop"),
        ),
        (seen({"uwsgi": failed("EPROTO", "answer"), "http": failed("EPROTO", "answer")}), ("no_http", PATH, "")),
        (seen({"uwsgi": failed("ECONNREFUSED")}, owner=SHOP), ("refused", PATH, "systemctl restart shop")),
        (seen({"uwsgi": failed("EAGAIN")}, owner=SHOP), ("backlog_full", PATH, "systemctl restart shop")),
        (seen({"uwsgi": failed("EPROTOTYPE")}), ("wrong_socket_type", PATH, "")),
        (seen({"uwsgi": failed("ENOENT")}, way(end=nothing()), owner=SHOP), ("missing", PATH, "systemctl start shop")),
        (
            seen({"uwsgi": failed("ENOENT")}, way(end=nothing()), owner=SHOP, server=UWSGI),
            ("missing", PATH, "systemctl restart shop"),
        ),
        (seen({"uwsgi": failed("ELOOP")}, way(end={"path": PATH, "error": "ELOOP"})), ("link_loop", PATH, "")),
        (
            seen({"uwsgi": failed("ENOENT")}, (*way(kind="link", target="/run/x.sock"), nothing("/run/x.sock")), owner=SHOP),
            ("dangling_link", PATH, "systemctl start shop"),
        ),
        (
            seen({"uwsgi": failed("ECONNREFUSED")}, way(kind="file"), owner=SHOP),
            ("not_a_socket", PATH, f"{SAMMY} mv -T {PATH} {PATH}.not-a-socket && systemctl restart shop"),
        ),
        (
            seen({"uwsgi": failed("ECONNREFUSED")}, way(kind="file", uid=0), owner=SHOP),
            ("not_a_socket", PATH, f"{SAMMY} mv -T {PATH} {PATH}.not-a-socket && systemctl restart shop"),
        ),
        (denied(way(kind="file", mode=0o600)), ("not_a_socket", PATH, "")),
        (
            seen({"uwsgi": failed("ECONNREFUSED")}, way(kind="directory"), owner=SHOP),
            ("not_a_socket", PATH, f"{SAMMY} mv -T {PATH} {PATH}.not-a-socket && systemctl restart shop"),
        ),
        (seen({"uwsgi": failed("ENOTDIR")}, way(), owner=SHOP), ("trailing_slash", PATH, "")),
        (
            seen({"uwsgi": failed("ENOTDIR")}, (step("/"), step("/srv"), {"path": "/srv/x", "error": "ENOTDIR"}), owner=SHOP),
            ("not_a_socket", "/srv", ""),
        ),
        (denied(way()), ("denied_by_policy", PATH, "")),
    ],
)
def test_the_connection_decides(evidence, expected):
    assert judged(evidence) == expected


@pytest.mark.parametrize(
    ("inside", "setfacl", "expected"),
    [
        (way(home=0o750), True, ("no_search_permission", "/home/sammy", "setfacl -m u:www-data:x /home/sammy")),
        (
            way(home=0o750),
            False,
            ("no_search_permission", "/home/sammy", "chgrp www-data /home/sammy && chmod g=x /home/sammy"),
        ),
        (way(mode=0o640, gid=33), True, ("no_write_permission", PATH, f"{SAMMY} chmod g+w {PATH}")),
        (way(mode=0o660), True, ("no_write_permission", PATH, f"{SAMMY} setfacl -m u:www-data:rw {PATH}")),
        (
            way(mode=0o660, gid=44),
            False,
            ("no_write_permission", PATH, f"apt-get install -y acl && {SAMMY} setfacl -m u:www-data:rw {PATH}"),
        ),
        (in_run(mode=0o660), True, ("no_write_permission", RUN, f"chgrp www-data {RUN} && chmod g=rw {RUN}")),
        (in_run(mode=0o660, gid=44), True, ("no_write_permission", RUN, f"setfacl -m u:www-data:rw {RUN}")),
        (
            in_run(mode=0o660, gid=44),
            False,
            ("no_write_permission", RUN, f"usermod -aG devs www-data && chmod g+w {RUN} && systemctl reload nginx"),
        ),
        (way(mode=0o400, uid=33), True, ("no_write_permission", PATH, f"runuser -u www-data -- chmod u+w {PATH}")),
        # Root's file in somebody else's directory: its name may stand for another file by the time of the fix.
        (way(mode=0o660, uid=0), True, ("no_write_permission", PATH, "")),
        (
            (step("/"), step("/home", mode=0o700), *way(home=0o700)[2:]),
            True,
            ("no_search_permission", "/home", "chmod o+x /home && setfacl -m u:www-data:x /home/sammy"),
        ),
    ],
)
def test_the_smallest_change_that_mends_all_that_is_in_the_way(inside, setfacl, expected):
    assert judged(denied(inside, setfacl=setfacl)) == expected


def test_a_group_that_the_process_does_not_have_yet_takes_a_reload():
    joined = replace(NGINX, groups=(33, 1001), source="database")
    verdict = _verdict.verdict(denied(way(home=0o710), renewed=joined))
    assert verdict.message.startswith(
        "www-data was added to the group sammy, but process 900, which started before, is not in it"
    )
    assert judged(denied(way(home=0o710), renewed=joined)) == ("group_not_effective", "/home/sammy", "systemctl reload nginx")
    fixed = f"{SAMMY} chmod g+w {PATH} && systemctl reload nginx"
    assert judged(denied(way(home=0o710, mode=0o640), renewed=joined)) == ("group_not_effective", "/home/sammy", fixed)


def test_nginx_without_a_unit_gets_a_signal():
    joined = replace(NGINX, groups=(33, 1001))
    assert judged(denied(way(home=0o710), renewed=joined, nginx_unit=""))[2] == "kill -HUP 812"


def test_a_setting_that_was_changed_after_the_start_takes_a_restart():
    late = SocketSetting("/etc/shop.ini", 0o666, changed=2000.0)
    inside = way(mode=0o660)
    expected = ("mode_not_effective", PATH, "systemctl restart shop")
    assert judged(denied(inside, server=UWSGI, owner=SHOP, setting=late)) == expected
    for setting in (replace(late, changed=500.0), replace(late, mode=0o660), replace(late, group="devs")):
        assert judged(denied(inside, server=UWSGI, owner=SHOP, setting=setting))[0] == "no_write_permission"


def test_a_private_tmp_of_nginx_hides_a_socket():
    outside = (step("/"), step("/tmp", mode=0o1777), step("/tmp/a.sock", "socket", 0o666, last=True))
    inside = (step("/"), step("/tmp", mode=0o1777, id=[9, 9]), nothing("/tmp/a.sock"))
    evidence = replace(
        seen({"uwsgi": failed("ENOENT")}, inside, closing=(("nginx.service", "PrivateTmp", "yes"),)),
        target=Target("unix:/tmp/a.sock", "uwsgi"),
        outside=outside,
    )
    code, component, fix = judged(evidence)
    assert (code, component) == ("private_tmp", "/tmp")
    assert "PrivateTmp=no" in fix
    assert fix.endswith("systemctl daemon-reload && systemctl restart nginx")


def test_a_private_tmp_of_the_server_hides_its_socket():
    inside = (step("/"), step("/tmp", mode=0o1777), nothing("/tmp/a.sock"))
    evidence = replace(
        seen({"uwsgi": failed("ENOENT")}, inside, closing=(("shop.service", "PrivateTmp", "yes"),)),
        target=Target("unix:/tmp/a.sock", "uwsgi"),
        listener=Listener("unix:/tmp/a.sock", 0, 100),
        server=UWSGI,
        foreign=True,
    )
    assert judged(evidence)[0] == "private_tmp"
    assert judged(evidence)[2].endswith("systemctl restart shop")
    assert judged(replace(evidence, foreign=False, owner=SHOP)) == ("missing", "/tmp/a.sock", "systemctl restart shop")


def test_a_protected_home_refuses_and_is_no_matter_of_modes():
    inside = (step("/"), step("/home", mode=0, id=[9, 9]), nothing())
    evidence = replace(denied(inside, closing=(("nginx.service", "ProtectHome", "yes"),)), outside=way())
    code, component, fix = judged(evidence)
    assert (code, component) == ("hidden_by_namespace", "/home")
    assert "ProtectHome=read-only" in fix


def test_a_path_that_is_too_long_is_not_even_tried():
    path = "/run/" + "x" * 103
    evidence = replace(seen({"uwsgi": failed("", "connect")}), target=Target(f"unix:{path}", "uwsgi"))
    assert judged(evidence)[0] == "name_too_long"
    assert judged(replace(evidence, target=Target(f"unix:{path[:-1]}")))[0] != "name_too_long"


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (seen(obstacle="only root can become www-data"), "not_checked"),
        (seen(inside=way(home=0o700), obstacle="only root can become www-data"), "no_search_permission"),
        (seen(inside=way(end=nothing()), obstacle="only root can become www-data"), "missing"),
        (replace(seen(inside=way(home=0o700), obstacle="x"), entered="process 1: no", inside=()), "not_checked"),
    ],
)
def test_without_a_connection_only_what_is_certain_is_said(evidence, code):
    assert judged(evidence)[0] == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ECONNREFUSED", "refused"),
        ("GAI", "unresolvable"),
        ("EHOSTUNREACH", "no_route"),
        ("ETIMEDOUT", "connect_timeout"),
        ("EPERM", "failed"),
    ],
)
def test_addresses_of_tcp(error, code):
    target = Target("app.test:8000", "http")
    assert judged(Evidence(target, NGINX, NGINX, attempts={"http": failed(error)}))[0] == code


def test_an_address_without_a_port_is_the_name_of_a_group_that_there_is_not():
    found = _verdict.verdict(Evidence(Target("django", "uwsgi"), NGINX, NGINX, attempts={"uwsgi": failed("EINVAL")}))
    assert found.code == "unresolvable"
    assert found.message == "django is no address: it has no port, and there is no upstream block of that name."


def test_only_the_wanted_statuses_are_fine():
    evidence = seen({"uwsgi": answered(404)})
    assert judged(replace(evidence, target=evidence.target._replace(statuses=(200, 404))))[0] == "ok"
    assert judged(replace(evidence, target=evidence.target._replace(statuses=(200,))))[0] == "bad_status"


def test_a_protocol_that_is_not_spoken_is_fine_when_it_connects():
    evidence = seen({"": {"stage": "done", "status": None}})
    assert judged(replace(evidence, target=evidence.target._replace(protocol="fastcgi")))[0] == "ok"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("/opt/v/bin/python3", "/opt/v/bin/gunicorn", "app:app"), "closed"),
        (("/usr/bin/uwsgi-core", "--ini", "shop.ini"), "wrong_protocol"),
        ((), "wrong_protocol"),
    ],
    ids=["gunicorn", "uWSGI", "unknown"],
)
def test_an_app_that_raises_under_gunicorn_does_not_speak_the_uwsgi_protocol(command, code):
    server = replace(UWSGI, command=command)
    evidence = seen({"http": failed("EOF", "answer"), "uwsgi": answered(400)}, server=server)
    assert judged(replace(evidence, target=evidence.target._replace(protocol="http")))[0] == code


@pytest.mark.parametrize(
    ("line", "protocol", "spoken", "fix"),
    [
        (
            f"        uwsgi_pass unix:{PATH};",
            "uwsgi",
            "http",
            f"2s#uwsgi_pass[[:space:]][[:space:]]*unix:/home/sammy/app\\.sock#include proxy_params; proxy_pass http://unix:{PATH}#",
        ),
        (
            f"        proxy_pass http://unix:{PATH};",
            "http",
            "uwsgi",
            (
                "2s#proxy_pass[[:space:]][[:space:]]*http://unix:/home/sammy/app\\.sock#"
                f"include uwsgi_params; uwsgi_pass unix:{PATH}#"
            ),
        ),
        ("        uwsgi_pass group;", "uwsgi", "http", ""),
    ],
)
def test_the_line_of_nginx_is_mended_where_it_is_certain(tmp_path, line, protocol, spoken, fix):
    file = tmp_path / "site"
    file.write_text(f"location / {{\n{line}\n}}\n")
    (tmp_path / "enabled").symlink_to(file)
    first = failed("EOF", "answer")
    evidence = seen({protocol: first, spoken: answered(200)})
    target = evidence.target._replace(protocol=protocol, named_in=f"{tmp_path}/enabled:2")
    found = judged(replace(evidence, target=target))
    assert found[0] == "wrong_protocol"
    assert found[2] == (_edit.applied([_edit.Edit(str(file), fix)]) if fix else "")


def test_a_misspelt_path_is_corrected_in_nginx(tmp_path):
    file = tmp_path / "site"
    file.write_text(f"uwsgi_pass unix:{PATH}:;\n")
    evidence = seen({"uwsgi": failed("ENOENT")}, way(end=nothing(f"{PATH}:")), alike=f"unix:{PATH}", named_in="/etc/nginx/shop:4")
    named = _fix.permanent_fix(evidence, _verdict.verdict(evidence))
    assert named == f"Name unix:{PATH} at /etc/nginx/shop:4 if that is the app of this site, and reload nginx."
    target = evidence.target._replace(address=f"unix:{PATH}:", named_in=f"{file}:1")
    assert judged(replace(evidence, target=target))[2] == ""  # it may be another app's
    code, _component, fix = judged(replace(evidence, target=target, alike_sure=True))
    assert code == "missing"
    assert fix == _edit.applied([_edit.Edit(str(file), f"1s#unix:/home/sammy/app\\.sock:#unix:{PATH}#")])


def test_a_slash_at_the_end_of_a_path_is_removed_in_nginx(tmp_path):
    file = tmp_path / "site"
    file.write_text(f"proxy_pass http://unix:{PATH}/;\n")
    evidence = seen({"uwsgi": failed("ENOTDIR")}, owner=SHOP)
    target = evidence.target._replace(address=f"unix:{PATH}/", named_in=f"{file}:1")
    code, _component, fix = judged(replace(evidence, target=target))
    assert code == "trailing_slash"
    assert fix == _edit.applied([_edit.Edit(str(file), f"1s#unix:/home/sammy/app\\.sock/#unix:{PATH}#")])


def warned(evidence, *others):
    return [(each["code"], each["fix"]) for each in _warnings.warnings(evidence, others)]


@pytest.fixture
def closed_homes(monkeypatch):
    monkeypatch.setattr(_warnings, "homes_open", lambda: True)
    monkeypatch.setattr(_warnings, "_secrets", lambda *rest: [])


@pytest.mark.usefixtures("closed_homes")
def test_a_socket_that_everybody_gets_at_is_warned_of():
    assert warned(seen()) == [("world_writable", f"{SAMMY} setfacl -m u:www-data:rw,o::--- {PATH}")]
    assert warned(seen(inside=way(gid=33))) == [("world_writable", f"{SAMMY} chmod g=rw,o= {PATH}")]
    assert warned(seen(inside=in_run(mode=0o666))) == [
        ("world_writable", f"chgrp www-data {RUN} && chmod g=rw,o= {RUN}"),
    ]
    assert warned(seen(inside=way(uid=0))) == [("world_writable", "")]


@pytest.mark.usefixtures("closed_homes")
def test_a_gate_makes_an_open_socket_harmless():
    gate = (step("/"), step("/run/app", mode=0o750, uid=1001, gid=33), step("/run/app/a.sock", "socket", 0o777, last=True))
    assert warned(seen(inside=gate)) == []


@pytest.mark.usefixtures("closed_homes")
def test_another_apps_user_that_gets_at_a_socket_is_warned_of(monkeypatch):
    inside = way(mode=0o660, gid=33)
    eve = ListeningProcess(78, 1002, ("gunicorn",))
    other = replace(seen(server=eve), target=Target("unix:/run/blog.sock"))
    groups = {"value": (33,)}
    monkeypatch.setattr(_identity, "of_process", lambda pid: Identity("eve", 1002, 1002, groups["value"], "process", pid))
    found = warned(seen(inside=inside, server=UWSGI), other)
    assert found == [("other_app", f"{SAMMY} setfacl -m u:www-data:rw,g::--- {PATH}")]
    groups["value"] = (1002,)
    assert warned(seen(inside=inside, server=UWSGI), other) == []


@pytest.mark.usefixtures("closed_homes")
@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("/v/bin/gunicorn", "app:app"), "gunicorn makes it so at each start: run it with --umask 007 and Group=www-data."),
        (("/v/bin/gunicorn", "-m", "007", "app:app"), ""),
        (("/v/bin/uvicorn", "--uds", PATH), "uvicorn makes it so at each start: give it a socket in a directory that only the"),
    ],
    ids=["gunicorn", "umask", "uvicorn"],
)
def test_a_server_that_opens_its_socket_at_each_start_is_told(command, told):
    inside = (step("/"), step("/srv"), step("/srv/shop.sock", "socket", 0o777, last=True))
    (found,) = _warnings.warnings(seen(inside=inside, server=replace(UWSGI, command=command)), ())
    assert found["code"] == "world_writable"
    assert told in found["message"]
    assert ("at each start" in found["message"]) == bool(told)


@pytest.mark.usefixtures("closed_homes")
def test_a_group_that_was_taken_away_counts_until_the_reload():
    inside = way(mode=0o660)
    still = replace(NGINX, groups=(33, 1001))
    assert warned(seen(inside=inside, identity=still)) == [("group_gone", "usermod -aG sammy www-data")]


@pytest.mark.parametrize(
    ("owner", "group", "user", "fix"),
    [
        (1001, 1001, 0, "chmod o= /x/.env"),
        (1001, 1001, 1001, f"{SAMMY} chmod o= /x/.env"),
        (0, 0, 0, "chgrp sammy /x/.env && chmod g+r,o= /x/.env"),
        (0, 1001, 0, "chmod g+r,o= /x/.env"),
        (1002, 1002, 1002, "runuser -u eve -- setfacl -m u:sammy:r,o::--- /x/.env"),
        (0, 0, None, ""),
    ],
)
def test_a_secret_stays_readable_for_its_server(monkeypatch, owner, group, user, fix):
    monkeypatch.setattr(_identity, "of_process", lambda pid: Identity("sammy", 1001, 1001, (1001,), "process", pid))
    assert _warnings._restrict(step("/x/.env", "file", 0o644, owner, group), UWSGI, user, True) == fix


def test_the_path_that_is_too_long_is_made_short_on_both_sides(tmp_path, monkeypatch):
    monkeypatch.setattr(_fix._systemd, "properties", lambda unit, names: {"User": "sammy"})
    path = "/run/" + "x" * 110
    file = tmp_path / "site"
    file.write_text(f"uwsgi_pass unix:{path};\n")
    target = Target(f"unix:{path}", "uwsgi", named_in=f"{file}:1")
    evidence = replace(seen({}, (nothing(path),), owner=SHOP), target=target)
    fix = judged(evidence)[2]
    assert fix.startswith("install -d -o sammy -g www-data -m 2750 /run/shop && sed -i ")
    assert " /etc/shop.ini && systemctl daemon-reload && systemctl restart shop && b=$(mktemp" in fix


EVIL = {"uid": 1002, "gid": 1002}
ROOTS = step("/root", mode=0o700)


def linked(target, *steps, **link):
    """A path that a symlink in the directory of eve leads away from."""
    way_there = [
        step("/"),
        step("/home"),
        step("/home/eve", **EVIL),
        step("/home/eve/a.sock", "link", target=target, **{**EVIL, **link}),
    ]
    return (*way_there, *steps)


@pytest.mark.parametrize(
    ("inside", "code", "fix"),
    [
        (linked("/root/a.sock", ROOTS, step("/root/a.sock", "socket", 0o600, last=True)), "no_search_permission", ""),
        (linked(PATH, *way(mode=0o660)[2:]), "no_write_permission", ""),
        (linked("/etc/passwd", step("/etc"), step("/etc/passwd", "file", 0o644, last=True)), "not_a_socket", ""),
        (
            linked("b.sock", step("/home/eve/b.sock", "socket", 0o600, last=True, **EVIL)),
            "no_write_permission",
            "runuser -u eve -- setfacl -m u:www-data:rw /home/eve/b.sock",
        ),
        # What root linked itself, below a directory of root's.
        (
            (
                step("/"),
                step("/run"),
                step("/run/a", "link", target="/srv/a"),
                step("/srv"),
                step("/srv/a", "socket", 0o600, last=True),
            ),
            "no_write_permission",
            "chgrp www-data /srv/a && chmod g=rw /srv/a",
        ),
    ],
)
def test_a_symlink_opens_nothing_that_is_not_its_makers(inside, code, fix):
    error = "ECONNREFUSED" if code == "not_a_socket" else "EACCES"
    evidence = seen({"uwsgi": failed(error)}, inside, owner=SHOP)
    verdict = _verdict.verdict(evidence)
    assert (verdict.code, _fix.fix(evidence, verdict)) == (code, fix)
    if code in _fix.PERMISSIONS and not fix:
        assert "so no command would be safe" in _fix.permanent_fix(evidence, verdict)


@pytest.mark.usefixtures("closed_homes")
def test_a_symlink_to_somebody_elses_socket_brings_no_warning_of_it():
    assert warned(seen(inside=linked("/run/bus", step("/run"), step("/run/bus", "socket", 0o666, last=True)))) == []


def test_what_a_shell_would_run_is_quoted():
    path = "/run/$(reboot).sock"
    inside = (step("/"), step("/run"), step(path, "socket", 0o640, 1001, 33, last=True))
    assert judged(denied(inside))[2] == "chmod g+w '/run/$(reboot).sock'"
    owner = Owner("a b.service", "x;y")
    assert owner.restart() == "supervisorctl restart 'x;y'"
    assert Owner("a$(b).service").start() == "systemctl start 'a$(b)'"
