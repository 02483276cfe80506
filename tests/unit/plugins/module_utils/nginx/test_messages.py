# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx._messages import (
    Message,
    about_request,
    first_error,
    last_error,
    read,
)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("2026/11/20 12:59:08 [notice] 1#1: signal process started\n", ""),
        (
            (
                "2026/11/20 12:59:08 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)\n"
                "2026/11/20 12:59:10 [emerg] 1#1: still could not bind()\n"
            ),
            "bind() to 0.0.0.0:80 failed (98: Address already in use)",
        ),
    ],
)
def test_the_last_error_of_a_log(log, expected):
    assert last_error(log) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n", ""),
        ("nginx: [warn] low address bits\nnginx: [emerg] one in /a:1\nnginx: [emerg] two in /b:2\n", "one in /a:1"),
        ('nginx: [emerg] host not found in upstream "db: 1" in /a:1\n', 'host not found in upstream "db: 1" in /a:1'),
    ],
)
def test_the_error_that_a_test_stopped_at(output, expected):
    assert first_error(output) == expected


LINE = (
    "2026/11/20 13:08:39 [crit] 1861#1861: *1 connect() to unix:/run/wsgi/shop/app.sock failed (2: No such file or directory)"
    ' while connecting to upstream, client: 127.0.0.1, server: shop.test, request: "GET {path} HTTP/1.1", upstream:'
    ' "uwsgi://unix:/run/wsgi/shop/app.sock:", host: "{host}"\n'
)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", ""),
        (LINE.format(path="/x", host="a.test"), ""),
        (LINE.format(path="/", host="b.test"), ""),
        (
            LINE.format(path="/", host="a.test") + LINE.format(path="/x", host="a.test"),
            "connect() to unix:/run/wsgi/shop/app.sock failed (2: No such file or directory) while connecting to upstream",
        ),
    ],
)
def test_the_last_message_about_a_request(log, expected):
    assert about_request(log, "a.test", "/") == expected


def test_a_message_is_read_with_its_time_and_the_request_that_it_is_about():
    (found,) = read("cut off line\n" + LINE.format(path="/", host="a.test"))
    assert (
        found.text
        == "connect() to unix:/run/wsgi/shop/app.sock failed (2: No such file or directory) while connecting to upstream"
    )
    assert (found.level, found.written, found.server) == ("crit", "2026/11/20 13:08:39", "shop.test")
    assert time.localtime(found.seconds)[:6] == (2026, 11, 20, 13, 8, 39)


def test_what_nginx_prints_has_no_time():
    (found,) = read("nginx: [warn] conflicting server name\n")
    assert found == Message("", "warn", "conflicting server name")
    assert found.seconds == 0


def visited(path, request, referrer=""):
    """What nginx 1.22 wrote of a path that it decoded and did not find, cut as nginx cuts it."""
    tail = f', referrer: "{referrer}"' if referrer else ""
    text = f'2026/11/28 09:42:05 [error] 18#18: *5 open() "/srv/static{path}" failed (2: No such file or directory)'
    whole = f'{text}, client: 192.0.2.1, server: a.test, request: "GET {request} HTTP/1.1", host: "a.test"{tail}'
    return whole.encode("utf-8", "surrogateescape")[:2047].decode("utf-8", "surrogateescape") + "\n"


FORGED = "2026/11/28 10:00:00 [emerg] 1#1: bind() failed"
COMPLETE = '" failed (2: No such file or directory), client: 1.1.1.1, server: b.test, request: "GET / HTTP/1.1", host: "b.test"'
AFTER = "2026/11/28 09:43:00 [error] 18#18: *6 after\n"


@pytest.mark.parametrize("begin", ["/x", f"/x{COMPLETE}"], ids=["open", "complete"])
@pytest.mark.parametrize("end", ["", "\n" + "x" * 3000, "\n" + "\udcff" * 3000], ids=["whole", "cut", "cut-bytes"])
def test_a_line_break_in_a_path_begins_no_message(begin, end):
    log = visited(f"{begin}\n{FORGED}{end}", "/x%0A2026/11/28...") + AFTER
    assert [message.text for message in read(log)][1:] == ["after"]
    assert last_error(log) == ""


@pytest.mark.parametrize("lines", [1, 7, 60])
def test_what_others_were_told_in_between_is_not_lost_but_near_it(lines):
    log = AFTER * lines + visited("/x\ny", "/x%0ay") + AFTER * lines
    assert [message.text for message in read(log)].count("after") >= 2 * lines - 2048 // len(AFTER)


def test_of_two_requests_in_a_message_none_is_believed():
    for log in (visited("/x" + COMPLETE, "/x%22"), visited("/x", "/x", "y, client: 1.1.1.1, server: b.test, request: z")):
        (found,) = read(log)
        assert (found.server, found.context, found.visitor) == ("", "", True)


@pytest.mark.parametrize("when", ["9999/99/99 99:99:99", "0000/00/00 00:00:00", "2026/02/30 10:00:00"])
def test_what_is_no_time_is_none(when):
    (found,) = read(f"{when} [error] 1#1: x")
    assert found.seconds == 0


def test_such_messages_in_a_row_are_as_many():
    log = visited("/x\ny\nz", "/x%0ay%0Az") * 3
    assert len(list(read(log))) == 3
