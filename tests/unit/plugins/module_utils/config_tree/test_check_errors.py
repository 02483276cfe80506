# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom an error of nginx is about. The outputs are those of nginx 1.22 and 1.26."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._check_errors import (
    CheckError,
    errors,
    fix,
    others,
    places,
    quoted,
    resolved,
)
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import TreeEntry
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Link

FAILED = "nginx: configuration file /etc/nginx/nginx.conf test failed\n"


@pytest.mark.parametrize(
    ("code", "output", "expected"),
    [
        pytest.param(0, "nginx: configuration file /etc/nginx/nginx.conf test is successful\n", [], id="passes"),
        pytest.param(
            1,
            '2026/11/20 12:59:08 [emerg] 2243#2243: unknown directive "fooo" in /etc/nginx/wsgi/a.conf:3\n' + FAILED,
            [CheckError('unknown directive "fooo"', "/etc/nginx/wsgi/a.conf", 3)],
            id="a place",
        ),
        pytest.param(
            1,
            "nginx: [emerg] bind() to 1.2.3.4:99 failed (99: Cannot assign requested address)\n" + FAILED,
            [CheckError("bind() to 1.2.3.4:99 failed (99: Cannot assign requested address)")],
            id="no place, and not the log's form",
        ),
        pytest.param(
            1,
            '2026/11/20 12:59:08 [warn] 1#1: conflicting server name "x" on 0.0.0.0:80, ignored\n'
            '2026/11/20 12:59:08 [emerg] 1#1: open() "/nope/x.log" failed (2: No such file or directory)\n' + FAILED,
            [CheckError('open() "/nope/x.log" failed (2: No such file or directory)')],
            id="an error after a warning",
        ),
        pytest.param(
            0,
            '2026/11/20 12:59:08 [warn] 2242#2242: conflicting server name "q.test" on 0.0.0.0:80, ignored\n'
            '2026/11/20 12:59:08 [warn] 2242#2242: conflicting server name "q.test" on [::]:80, ignored\n'
            'nginx: [warn] conflicting server name "r.test" on 0.0.0.0:80, ignored\n',
            [
                CheckError('conflicting server name "q.test"', fatal=False),
                CheckError('conflicting server name "r.test"', fatal=False),
            ],
            id="warnings that count, each once",
        ),
        pytest.param(0, 'nginx: [warn] the "listen ... http2" directive is deprecated in /etc/x:1\n', [], id="another warning"),
        pytest.param(127, "nginx: no such file or directory", [CheckError("nginx: no such file or directory")], id="no program"),
        pytest.param(2, "/etc/x/y.ini:7: bad section\n", [CheckError(": bad section", "/etc/x/y.ini", 7)], id="another program"),
    ],
)
def test_objections(code, output, expected):
    assert errors(Completed(("nginx", "-t"), code, output)) == expected


TREE = {
    "/n/conf.d/wsgi.conf": TreeEntry(File("map $http_host $suffix {\n}\nserver {\n    listen 80 default_server;\n}\n")),
    "/n/available/shop.conf": TreeEntry(
        File("server {\n    listen 80;\n    server_name shop.test www.shop.test;\n}\n"), ("shop",)
    ),
    "/n/enabled/shop.conf": TreeEntry(Link("../available/shop.conf"), ("shop",)),
    "/n/available/blog.conf": TreeEntry(File("server {\n    listen 80;\n    server_name blog.test;\n}\n"), ("blog",)),
    "/n/wsgi/blog.conf": TreeEntry(File("location / {\n    set $a ${nope};\n    fooo bar;\n}\n"), ("blog",)),
}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(CheckError("unknown directive", "/n/wsgi/blog.conf", 3), [("/n/wsgi/blog.conf", 3)], id="a file"),
        pytest.param(CheckError("wrong", "/n/enabled/shop.conf", 2), [("/n/available/shop.conf", 2)], id="through a link"),
        pytest.param(CheckError("wrong", "/n/enabled/foreign", 2), [], id="somebody else's file"),
        pytest.param(CheckError("bind() failed"), [], id="no place"),
        pytest.param(CheckError('conflicting server name "shop.test"'), [("/n/available/shop.conf", 3)], id="a name"),
        pytest.param(
            CheckError('conflicting server name "www.shop.test"'), [("/n/available/shop.conf", 3)], id="the second name"
        ),
        pytest.param(CheckError('conflicting server name "hop.test"'), [], id="the end of a name"),
        pytest.param(CheckError('unknown "nope" variable'), [("/n/wsgi/blog.conf", 2)], id="a variable"),
        pytest.param(CheckError('unknown "nop" variable'), [], id="the beginning of a variable"),
        pytest.param(
            CheckError("a duplicate default server for 0.0.0.0:80", "/n/enabled/foreign", 2),
            [("/n/conf.d/wsgi.conf", 4)],
            id="a default server",
        ),
    ],
)
def test_places(error, expected):
    assert places(error, TREE) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            CheckError('unknown directive "fooo"', "/n/wsgi/blog.conf", 3),
            'unknown directive "fooo" in /n/wsgi/blog.conf:3 (fooo bar;)',
        ),
        (CheckError("unexpected end of file", "/n/wsgi/blog.conf", 9), "unexpected end of file in /n/wsgi/blog.conf:9"),
        (CheckError("wrong", "/n/enabled/foreign", 2), "wrong in /n/enabled/foreign:2"),
        (CheckError("bind() failed"), "bind() failed"),
        (CheckError('unknown "nope" variable'), 'unknown "nope" variable in /n/wsgi/blog.conf:2 (set $a ${nope};)'),
    ],
)
def test_an_error_is_quoted_with_its_place_and_its_line(error, expected):
    assert quoted(error, TREE) == expected


def test_a_path_that_is_no_link_is_itself():
    assert resolved("/n/wsgi/blog.conf", TREE) == "/n/wsgi/blog.conf"


def test_the_other_files_that_have_a_name_are_found(tmp_path):
    (tmp_path / "enabled").mkdir()
    (tmp_path / "sites-available").mkdir()
    (tmp_path / "enabled/mine").write_text("server_name shop.test;")
    (tmp_path / "enabled/theirs").write_text("server_name shop.test;")
    (tmp_path / "enabled/commented").write_text("  # server_name shop.test;")
    (tmp_path / "enabled/.hidden").write_text("server_name shop.test;")
    (tmp_path / "enabled/directory").mkdir()
    (tmp_path / "sites-available/asleep").write_text("server_name shop.test;")
    tree = {str(tmp_path / "enabled/mine"): TreeEntry(File("")), str(tmp_path / "sites-available/mine"): TreeEntry(File(""))}
    tree[str(tmp_path / "missing/mine")] = TreeEntry(File(""))
    assert others(CheckError('conflicting server name "shop.test"'), tree) == [str(tmp_path / "enabled/theirs")]
    assert others(CheckError("unknown directive"), tree) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a duplicate default server for 0.0.0.0:80", "nginx_default_server: false"),
        ('conflicting server name "x"', "from the app's domains"),
        ("socket() [::]:80 failed (97: Address family not supported by protocol)", "nginx_ipv6: false"),
        ("unknown directive", "correct it and run again"),
    ],
)
def test_cure(words, expected):
    assert expected in fix(CheckError(words))
