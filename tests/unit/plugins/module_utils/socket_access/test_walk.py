# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets through which directories to which socket, as Linux decides it."""

from __future__ import annotations

import os
import socket
import struct

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _inside, _walk

APP, NGINX = 1001, 33
ANY = 0xFFFFFFFF

# user::rwx, user:www-data:---, group::---, mask::rwx, other::rwx
NGINX_DENIED = [(0x01, 7, ANY), (0x02, 0, NGINX), (0x04, 0, ANY), (0x10, 7, ANY), (0x20, 7, ANY)]


def step(path="/x", kind="directory", mode=0o755, uid=APP, gid=APP, **rest):
    return {"path": path, "kind": kind, "mode": mode, "uid": uid, "gid": gid, "acl": "", "target": "", "last": False, **rest}


def refused(*steps, groups=(NGINX,), protected=True):
    found = _walk.refusals(list(steps), NGINX, groups, protected)
    return [(refusal.code, refusal.path) for refusal in found]


def test_directories_have_to_let_through_and_the_socket_has_to_be_writable():
    steps = [
        step("/"),
        step("/home", mode=0o750),
        step("/home/a.sock", "socket", 0o640, last=True),
    ]
    assert refused(*steps) == [("no_search_permission", "/home"), ("no_write_permission", "/home/a.sock")]
    assert refused(*steps, groups=(NGINX, APP)) == [("no_write_permission", "/home/a.sock")]


def test_a_socket_that_is_writable_and_not_readable_will_do():
    assert refused(step("/"), step("/a.sock", "socket", 0o622, last=True)) == []


def test_a_list_that_refuses_is_named_as_such():
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in NGINX_DENIED)
    steps = [step("/", acl=acl.hex(), mode=0o777), step("/a.sock", "socket", 0o666, last=True)]
    assert refused(*steps) == [("acl_denied", "/")]


def test_a_directory_that_links_lead_through_twice_refuses_once():
    twice = step("/run", mode=0o700)
    assert refused(step("/"), twice, step("/run/l", "link", last=True), twice) == [("no_search_permission", "/run")]


def test_a_link_in_a_shared_directory_leads_only_its_owner_on():
    steps = [step("/"), step("/tmp", mode=0o1777, uid=0), step("/tmp/l", "link", 0o777, uid=APP, last=True)]
    end = step("/a.sock", "socket", 0o666, last=True)
    assert refused(*steps, end) == [("protected_symlink", "/tmp/l")]
    assert refused(*steps, end, protected=False) == []
    assert refused(*steps[:-1], {**steps[-1], "uid": 0}, end) == []
    assert refused(*steps[:-1], {**steps[-1], "last": False}, end) == []


def test_what_is_another_one_inside_is_found():
    outside = [step("/", id=[1, 2]), step("/tmp", id=[1, 3])]
    assert _walk.hidden([step("/", id=[1, 2]), step("/tmp", id=[9, 3])], outside) == "/tmp"
    assert _walk.hidden(outside, outside) == ""


def kinds(steps):
    return [(step["path"], step.get("kind", step.get("error"))) for step in steps]


@pytest.fixture
def place(tmp_path):
    return os.path.realpath(tmp_path)


def test_links_are_followed_step_by_step(place):
    os.makedirs(f"{place}/real/deep")
    os.symlink("real", f"{place}/relative")
    os.symlink(f"{place}/relative/../relative/deep/x", f"{place}/absolute")
    with open(f"{place}/real/deep/x", "w"):
        pass
    steps = kinds(_inside.walk(f"{place}/absolute"))
    begin = steps.index((f"{place}/absolute", "link"))
    assert steps[0] == ("/", "directory")
    found = [each for each in steps[begin + 1 :] if each[0].startswith(f"{place}/")]
    relative, real = (f"{place}/relative", "link"), (f"{place}/real", "directory")
    assert found == [relative, real, relative, real, (f"{place}/real/deep", "directory"), (f"{place}/real/deep/x", "file")]


def test_only_the_end_of_a_path_is_its_last(place):
    os.makedirs(f"{place}/a")
    os.symlink("a", f"{place}/l")
    last = {step["path"]: step["last"] for step in _inside.walk(f"{place}/l/x") if "last" in step}
    assert last[f"{place}/l"] is False
    assert last[f"{place}/a"] is False
    assert last[f"{place}/a/x"] is True


def test_the_way_ends_where_nothing_is(place):
    os.symlink("gone/x", f"{place}/l")
    assert kinds(_inside.walk(f"{place}/l"))[-1] == (f"{place}/gone", "ENOENT")


def test_a_circle_of_links_ends(place):
    os.symlink("b", f"{place}/a")
    os.symlink("a", f"{place}/b")
    assert _inside.walk(f"{place}/a")[-1]["error"] == "ELOOP"


def test_nothing_is_inside_a_file(place):
    with open(f"{place}/f", "w"):
        pass
    assert kinds(_inside.walk(f"{place}/f/x.sock"))[-1] == (f"{place}/f/x.sock", "ENOTDIR")


def test_a_socket_is_one(place):
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(place)
        listener.bind("x.sock")
        os.chdir("/")
        end = _inside.walk(f"{place}/x.sock")[-1]
    assert (end["kind"], end["uid"], end["last"]) == ("socket", os.getuid(), True)
