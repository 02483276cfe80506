# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Lines in the logs of nginx and of apps that explain why visitors get errors. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Callable

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._logs import LogLine
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import applied, then

RELOAD = "nginx -t && systemctl reload nginx"
PLACE = re.compile(r"[\w./@:%+ -]{1,200}")

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
HTTP_SIZES = "|".join(str(int.from_bytes(method[1:3].encode(), "little")) for method in METHODS)
"""What uWSGI takes for the size of a request that is HTTP, as a test of the protocol sends one: its second and third byte."""

# Errors in nginx's log that call for a change on the host: code, pattern, message, what to do. They are looked for at the
# beginning: later on in a message may be what a visitor asked for.
NGINX: tuple[tuple[str, re.Pattern[str], str, str], ...] = (
    (
        "nginx_log",
        re.compile(r"\d+ worker_connections are not enough"),
        "nginx has run out of connections and refuses visitors",
        "Raise worker_connections in the events block of /etc/nginx/nginx.conf",
    ),
    (
        "nginx_log",
        re.compile(
            r"(?:(?:accept4?|socket|epoll_create1?|eventfd|connect)\(\)|open\(\) \"[^\"]*\") failed \(24: Too many open files\)"
        ),
        "nginx has reached its limit of open files and refuses visitors",
        "Set worker_rlimit_nofile in /etc/nginx/nginx.conf to twice worker_connections",
    ),
    (
        "nginx_log",
        re.compile(r"upstream sent too big header"),
        "The app's response headers are larger than nginx's buffer, so visitors get 502",
        "Set uwsgi_buffer_size or proxy_buffer_size of the location to 16k",
    ),
    (
        "nginx_log",
        re.compile(r"client intended to send too large body"),
        "Requests are larger than client_max_body_size, so visitors get 413",
        "Raise client_max_body_size of the server if such requests are legitimate",
    ),
    (
        "upstream_timed_out",
        re.compile(r"upstream timed out \(110: (?:Connection|Operation) timed out\) while (?:reading|sending) "),
        "The app took longer than nginx waits for an answer (proxy_read_timeout, uwsgi_read_timeout), so visitors got 504",
        "Make that request faster, do its work in the background, or raise the read timeout of its location",
    ),
    (
        "nginx_log",
        re.compile(r"(?:sendfile|writev?|send)\(\) failed \((?:32|104): [^)]*\) while sending request to upstream"),
        "The app closes the connection before it has read the whole request, such as an upload, so visitors get 502",
        "Let the app read requests to their end (post-buffering of uWSGI does), or refuse large ones by client_max_body_size",
    ),
    (
        "nginx_log",
        re.compile(r"connect\(\) to \S+ failed \(11: Resource temporarily unavailable\)"),
        "The listen queue of the app was full, so visitors got 502",
        "Give the app more processes or threads",
    ),
    (
        "nginx_log",
        re.compile(r"rewrite or internal redirection cycle"),
        "nginx redirects a request to itself again and again, so visitors get 500",
        "Correct try_files, index, error_page or rewrite of the location: what they name in the end has to exist",
    ),
)

STATIC = re.compile(r"open\(\) \"(/[^\"]*)\" failed \(13: Permission denied\)")
FORBIDDEN = re.compile(
    r"(?:stat|lstat)\(\) \"(/[^\"]*)\" failed \(13: Permission denied\)|\"(/[^\"]*)\" is forbidden \(13: Permission denied\)"
)
TEMPORARY = re.compile(
    r"\w+\(\) \"(/var/(?:lib|cache)/nginx/(?:body|proxy|uwsgi|fastcgi|scgi|\w+_temp))/[\d/]*\" failed \(13: Permission denied\)"
)
"""Of Debian's nginx and of nginx.org's. A visitor can have nginx look for any other file."""


APP: tuple[tuple[str, re.Pattern[str], str, str], ...] = (
    (
        "harakiri",
        re.compile(r"HARAKIRI ON WORKER|HARAKIRI !!!|HARAKIRI: "),
        "uWSGI ended workers in the middle of requests that took longer than its option harakiri, so visitors got 502",
        "Make that request faster, do its work in the background, or raise harakiri in {file}",
    ),
    (
        "worker_timeout",
        re.compile(r"WORKER TIMEOUT \(pid:"),
        "gunicorn ended workers in the middle of requests that took longer than its option timeout, so visitors got 502",
        "Make that request faster, do its work in the background, or raise gunicorn's option --timeout in {file}",
    ),
    (
        "out_of_memory",
        re.compile(r"Perhaps out of memory\?|was terminated due to signal 9|by the OOM killer|Killed process|MemoryError$"),
        "Workers of the app were killed because memory ran out (OOM), so visitors got 502",
        "Give the app more memory (MemoryMax= of its unit, or of the host), or let it use less: fewer workers, smaller requests",
    ),
    (
        "request_too_large",
        re.compile(rf"invalid request block size: (?!(?:{HTTP_SIZES}) )\d+ \(max \d+\)"),
        "Requests have larger headers, such as cookies, than uWSGI's buffer (buffer-size), so visitors get 502",
        "Set buffer-size = 32768 in {file}",
    ),
    (
        "listen_queue_full",
        re.compile(r"listen queue of socket .* full"),
        "uWSGI's listen queue was full: the app is overloaded or hangs",
        "Give the app more processes or threads",
    ),
    (
        "too_many_files",
        re.compile(r"\[Errno 24\] Too many open files|accept\(\).*Too many open files"),
        "The app has reached its limit of open files, so requests fail",
        "Find what it leaves open, or raise LimitNOFILE= of its unit",
    ),
)
"""Errors in an app's log: code, pattern, message, what to do; ``{file}`` is the server's configuration."""

UNIT = "/etc/systemd/system/"
"""Where units are that an operator writes."""

TIMED_OUT = re.compile(r"WORKER TIMEOUT \(pid:(\d+)\)")
KILLED = re.compile(r"Worker (?:\(pid:|with pid )(\d+)\)? was (?:sent SIGKILL|terminated due to signal 9)")
"""What gunicorn writes of a worker that was killed: also one that it killed itself, since SIGABRT did not end it."""


def of_nginx(lines: Iterable[LogLine], static: Callable[[str], Finding | None], user: str) -> list[Finding]:
    """Findings for errors in nginx's log that have a known fix.

    :param static: judges a file that nginx may not read
    :param user: as whom nginx' workers run
    """
    lines = list(lines)
    found = [_temporary(lines, user), _static(lines, static)]
    for code, pattern, message, fix in NGINX:
        matching = [line for line in lines if pattern.match(line.text)]
        if matching:
            found.append(Finding(WARNING, code, f"{message}.", tuple(map(str, matching[-2:])), then(fix, RELOAD)))
    return [finding for finding in found if finding]


def _temporary(lines: Sequence[LogLine], user: str) -> Finding | None:
    matches = [(line, match) for line in lines for match in [TEMPORARY.match(line.text)] if match]
    if not matches:
        return None
    line, match = matches[-1]
    directory = match[1]
    message = f"nginx, running as {user}, may not write to its directory {directory}, so uploads and long answers fail."
    return Finding(
        WARNING, "nginx_temporary_files", message, (str(line),), f"chown -R -h {shlex.quote(user)} {shlex.quote(directory)}"
    )


def _static(lines: Sequence[LogLine], judge: Callable[[str], Finding | None]) -> Finding | None:
    for line in reversed(lines):
        match = STATIC.match(line.text) or FORBIDDEN.match(line.text)
        path = next((group for group in match.groups() if group), "") if match else ""
        if path and not TEMPORARY.match(line.text):
            found = judge(path)
            if found:
                return found
    return None


def of_app(text: str, file: str, restart: str, where: str) -> list[Finding]:
    """Findings for errors in an app's log since its start that have a known fix.

    :param text: see ``_log_causes.cleaned``
    :param file: the server's configuration, "" if it is not known
    :param restart: the command that restarts it
    :param where: what shows the log
    """
    found = []
    timed_out = set(TIMED_OUT.findall(text))
    lines = [line for line in text.splitlines() if not timed_out.intersection(KILLED.findall(line))]
    for code, pattern, message, fix in APP:
        matching = [line for line in lines if pattern.search(line)]
        if matching:
            place = file if PLACE.fullmatch(file) else ""
            what = fix.replace("{file}", place or "its configuration")
            count = f"{len(matching)} times" if len(matching) > 1 else "once"
            times = f" ({count}, {where})" if where else f" ({count})"
            seen = tuple(" ".join(line.split())[:300] for line in matching[-2:])
            changed = place if "{file}" in fix else UNIT if "its unit" in fix else ""
            found.append(Finding(WARNING, code, f"{message}{times}.", seen, then(what, applied(changed, restart) or restart)))
    return found
