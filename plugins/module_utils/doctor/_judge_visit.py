# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why a visitor gets an error although the app answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._redirects import Loop
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer, Visit
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _edit, _routing
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._routing import PASSES, Route
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive

OTHER_HOSTS = ("localhost", "127.0.0.1")
"""Names that an app may know beside those of its site."""

HOST_REFUSED = re.compile(
    r"<h1>Bad Request \(400\)</h1>|DisallowedHost|Invalid HTTP_HOST header|Invalid host header|is not trusted"
)
"""What Django, Starlette and Werkzeug answer to a host name that they do not know."""

LIMITS = ("limit_req", "limit_conn")
"""Directives by which nginx refuses who asks too often."""

UNASKED = ("EADDRNOTAVAIL", "EAFNOSUPPORT", "ENETUNREACH")
"""Errors of who has no IPv6, or no such address."""

LINE = 300
"""Characters kept of a line that others wrote."""


@dataclass(frozen=True)
class Seen:
    """A visit that failed, and what is known of its way.

    :ivar http: the directives of the http context
    :ivar direct: the status that the app itself gives, by the host name that it was asked for
    :ivar log: what nginx logged about the visit
    :ivar restart: the command that restarts the app
    """

    visit: Visit
    answer: Answer
    route: Route
    server: ServerBlock
    http: Sequence[Directive] = ()
    direct: Mapping[str, int] = field(default_factory=dict)
    loop: Loop | None = None
    log: str = ""
    restart: str = ""

    @property
    def own(self) -> int:
        """The status that the app itself gives to the same request, 0 if it was not asked."""
        return self.direct.get(self.visit.name, 0)

    @property
    def got(self) -> str:
        """What a visitor gets, for people."""
        return str(self.answer.status) if self.answer.status else f"no answer ({self.answer.text[:LINE]})"

    @property
    def evidence(self) -> tuple[str, ...]:
        """What was seen."""
        asked = f"GET {self.visit.url} at {self.visit.where}: {self.got}"
        passed = self.route.directive
        way = f"{_edit.place(passed)}: {passed.name} {' '.join(passed.arguments)}"
        own = (f"the app itself: {self.own}",) if self.own else ()
        return (asked, way, *own, *((f"nginx log: {self.log[:LINE]}",) if self.log else ()))


def telling_hosts(route: Route, name: str) -> list[str]:
    """The host names to ask an app for, so that its answers tell the cause. Pure."""
    passed = passed_host(route)
    return list(dict.fromkeys([*([] if passed is None else [passed]), *OTHER_HOSTS, name]))


def passed_host(route: Route) -> str | None:
    """The host name that the app gets instead of the visitor's, None if it gets that, or if it cannot be told. Pure."""
    if route.directive.name != "proxy_pass":
        return None
    headers = [each.arguments for each in route.effective("proxy_set_header") if len(each.arguments) == 2]
    wanted = next((value for name, value in reversed(headers) if name.lower() == "host"), "$proxy_host")
    if wanted != "$proxy_host":
        return None if "$" in wanted else wanted
    _scheme, address, _base = _configuration.address_of("proxy_pass", route.directive.arguments[0])
    if "$" in address:
        return None
    return "localhost" if address.startswith("unix:") else re.sub(r":(80|443)$", "", address)


def judge(seen: Seen) -> Finding | None:
    """The cause of a failed visit; None if there is none, as where nginx limits how often one may ask."""
    if seen.loop:
        return _loop(seen, seen.loop)
    if seen.answer.error:
        return _no_answer(seen)
    status = seen.answer.status
    if status in (429, 503) and any(seen.route.effective(name) for name in LIMITS):
        return None
    if status == seen.own >= 500:
        return _own_error(seen)
    return (
        _variables(seen) or _resolver(seen) or _host(seen) or _refused_name(seen) or (_other(seen) if _is_error(seen) else None)
    )


def _own_error(seen: Seen) -> Finding | None:
    """An error of the app for one of its names. That for all names is found without nginx, and that for one path may be meant."""
    if seen.visit.path != "/":
        return None
    message = f"The app itself answers {seen.own} to {seen.visit.url}."
    fix = f"Find the cause in the log of the app. It may not know the host name {seen.visit.name}."
    return Finding(BROKEN, "visitor_error", message, seen.evidence, fix)


def _is_error(seen: Seen) -> bool:
    status = seen.answer.status
    return status >= 500 or (status in (400, 421) and 0 < seen.own < 400)


def _loop(seen: Seen, loop: Loop) -> Finding:
    url = loop.urls[-1]
    if loop.leaves:
        return _no_https(seen, loop)
    own = _own_redirect(seen, url)
    if own:
        return own
    evidence = (" -> ".join(loop.urls), *seen.evidence[1:2])
    names = {urlsplit(each).hostname for each in loop.urls}
    if len(names) > 1:
        message = f"Endless redirect: {' and '.join(sorted(map(str, names)))} send visitors of {url} to each other."
        fix = (
            "Remove the redirect from the name that you want to keep: a 'return' or 'rewrite' in nginx, or a setting of the app,"
            " such as Django's PREPEND_WWW."
        )
        return Finding(BROKEN, "redirect_loop", message, evidence, fix)
    headers = [each.arguments[0].lower() for each in seen.route.effective("proxy_set_header") if each.arguments]
    proxied = seen.route.directive.name == "proxy_pass"
    if loop.heeds_scheme and "x-forwarded-proto" not in headers:
        because = "nginx does not tell it by X-Forwarded-Proto that they came by HTTPS"
        message = f"Endless redirect: the app sends visitors of {url} to {url} again, since {because}."
        new = "proxy_set_header X-Forwarded-Proto $scheme;" if proxied else "uwsgi_param HTTP_X_FORWARDED_PROTO $scheme;"
        return Finding(BROKEN, "redirect_loop", message, evidence, _added(seen, new))
    fix = "Let the app heed X-Forwarded-Proto (in Django SECURE_PROXY_SSL_HEADER), or let it not redirect to HTTPS."
    if proxied and "x-forwarded-proto" not in headers:
        place = _edit.place(seen.route.directive)
        fix = f"Add 'proxy_set_header X-Forwarded-Proto $scheme' beside {place}, and let the app heed it."
    return Finding(BROKEN, "redirect_loop", f"Endless redirect: {url} leads to itself.", evidence, fix)


def _own_redirect(seen: Seen, url: str) -> Finding | None:
    """A redirect of nginx itself, before the app is asked: one for port 80 in a server block that has port 443, too."""
    inside = [each for level in seen.route.levels[1:] for each in level]
    redirect = next((each for each in inside if _redirects(each, seen.visit.path)), None)
    if redirect is None or url.startswith("https:") not in [listen.tls for listen in seen.server.listens]:
        return None
    place, words = _edit.place(redirect), " ".join([redirect.name, *redirect.arguments])
    message = f"Endless redirect: nginx itself sends visitors of {url} to {url} again, by '{words}' at {place}."
    fix = f"Remove {place}, and reload nginx."
    if not all(listen.tls for listen in seen.server.listens):
        fix = f"Move {place} to a server block of its own that listens on port 80 only, and reload nginx."
    return Finding(BROKEN, "redirect_loop", message, seen.evidence[1:2], fix)


def _redirects(directive: Directive, path: str) -> bool:
    """Whether a directive answers all requests for a path by a redirect."""
    words = directive.arguments
    if directive.name == "return":
        return bool(words) and re.match(r"30[12378]$|https?://", words[0]) is not None
    if directive.name != "rewrite" or len(words) < 2:
        return False
    outside = words[1].startswith(("http://", "https://", "$scheme")) or words[-1] in ("redirect", "permanent")
    try:
        return outside and _routing.matches(words[0], path)
    except re.error:
        return False


def _no_https(seen: Seen, loop: Loop) -> Finding:
    message = (
        f"The app sends all visitors of {loop.urls[-2]} to {loop.urls[-1]}, where nginx does not listen. A proxy in front of "
        "this host does not get the page either, though it says by X-Forwarded-Proto that they came by HTTPS."
    )
    headers = [each for each in seen.route.effective("proxy_set_header") if each.arguments[:1] and len(each.arguments) == 2]
    scheme = next((each for each in headers if each.arguments[0].lower() == "x-forwarded-proto"), None)
    fix = "Set up HTTPS for the site, as with certbot, or switch the redirect of the app off."
    if scheme:
        instead = f"$http_x_forwarded_proto instead of {scheme.arguments[1]} at {_edit.place(scheme)}"
        fix += f" If a proxy in front speaks HTTPS, write {instead}."
    return Finding(BROKEN, "redirect_loop", message, (" -> ".join(loop.urls), *seen.evidence[1:2]), fix)


def _no_answer(seen: Seen) -> Finding | None:
    error = seen.answer.error
    if error == "ECONNREFUSED":
        message = f"nginx does not listen on {seen.visit.where}, though its configuration says so: visitors get no answer."
        return Finding(BROKEN, "not_listening", message, seen.evidence, _edit.LOAD)
    if error in UNASKED:
        return None
    if error == "EOF" and any(each.name == "return" and each.arguments[:1] == ("444",) for each in _all(seen.server.block)):
        return None
    message = f"Visitors of {seen.visit.url} get no answer from nginx: {seen.answer.text[:LINE]}."
    fix = "Find the cause in the error log of nginx. If there is none, something else listens there, or a firewall is in the way."
    return Finding(BROKEN, "visitor_error", message, seen.evidence, fix)


def _all(block: Sequence[Directive]) -> list[Directive]:
    return [each for directive in block for each in (directive, *_all(directive.block or ()))]


def _variables(seen: Seen) -> Finding | None:
    """uwsgi_pass without include uwsgi_params."""
    passed = seen.route.directive
    if passed.name != "uwsgi_pass" or not _is_error(seen):
        return None
    if any(each.arguments[:1] == ("REQUEST_METHOD",) for each in seen.route.effective("uwsgi_param")):
        return None
    message = f"nginx passes the app no request: {passed.name} without include uwsgi_params, so visitors get {seen.got}."
    fix = _edit.before(passed, "include uwsgi_params;") or f"Add 'include uwsgi_params' before {_edit.place(passed)}."
    return Finding(BROKEN, "uwsgi_params_missing", message, seen.evidence, fix)


def _resolver(seen: Seen) -> Finding | None:
    """A host name in a variable, which nginx resolves itself, and no resolver to ask."""
    passed = seen.route.directive
    word = passed.arguments[0]
    if "$" not in word or seen.answer.status not in (502, 500) or seen.route.effective("resolver"):
        return None
    if seen.log and "no resolver defined" not in seen.log:
        return None
    variable = re.search(r"\$\{?(\w+)\}?", word)
    settings = [
        each.arguments[1]
        for level in seen.route.levels
        for each in level
        if each.name == "set" and len(each.arguments) == 2 and variable and each.arguments[0] == f"${variable[1]}"
    ]
    if not seen.log and not settings:
        return None
    what = f"nginx cannot resolve the host name in '{passed.name} {word}'"
    message = f"{what}: because of the variable it has to at each request, and there is no resolver. Visitors get {seen.got}."
    fix = f"Write the host name instead of the variable at {_edit.place(passed)}, or add a resolver to the server block."
    plain = word.replace(variable[0], settings[0]) if len(settings) == 1 and variable else ""
    if re.fullmatch(r"(?:https?://)?[\w.-]+(?::\d+)?", plain):
        command = _edit.replace(passed.file, passed.line, f"{passed.name} {word}", f"{passed.name} {plain}")
        fix = command or fix
    return Finding(BROKEN, "resolver_missing", message, seen.evidence, fix)


def _host(seen: Seen) -> Finding | None:
    """The app is asked for another host name than the visitor typed."""
    passed, status = passed_host(seen.route), seen.answer.status
    if passed is None or seen.direct.get(passed) != status or not 0 < seen.own < 400 or passed == seen.visit.name:
        return None
    instead = f"{passed} instead of {seen.visit.name}"
    message = f"nginx does not pass Host on: it asks the app for {instead}, and so visitors get {status}."
    fix = _added(seen, "proxy_set_header Host $http_host;", replacing="host")
    return Finding(BROKEN, "host_not_passed", message, seen.evidence, fix)


def _refused_name(seen: Seen) -> Finding | None:
    """The app does not know the name of its own site, as by ALLOWED_HOSTS."""
    direct, status, name = seen.direct, seen.answer.status, seen.visit.name
    if status not in (400, 403, 421) or direct.get(name, status) != status or name == "localhost":
        return None
    others = {host: other for host, other in direct.items() if host != name and 0 < other < 400}
    told = HOST_REFUSED.search(seen.answer.body) is not None
    if not others and not (told and status == 400):
        return None
    why = "it is not in its ALLOWED_HOSTS, or whatever the app has like that"
    message = f"The app refuses the host name {name}, so visitors get {status}: {why}."
    answers = tuple(f"the app itself, asked for {host}: {other}" for host, other in direct.items())
    known = seen.restart.startswith(("systemctl ", "supervisorctl "))
    again = f", then run: {seen.restart}." if known else ", and restart it."
    fix = f"Add {name} to the host names that the app allows (in Django to ALLOWED_HOSTS in its settings){again}"
    return Finding(BROKEN, "host_refused", message, (*seen.evidence, *answers), fix)


def _other(seen: Seen) -> Finding:
    passed = seen.route.directive
    own = f", though the app itself answers {seen.own}" if seen.own else ""
    because = f": {seen.log[:LINE]}" if seen.log else ""
    message = f"Visitors of {seen.visit.url} get {seen.got}{own}{because}."
    severity = BROKEN
    if seen.answer.status == 503 and any(
        each.name == "return" and each.arguments[:1] == ("503",) for each in _all(seen.server.block)
    ):
        severity = WARNING
        message = f"Visitors of {seen.visit.url} get {seen.got} from nginx itself: it is configured to be down for maintenance."
    fix = f"Correct what nginx's error log says of {PASSES[passed.name]} at {_edit.place(passed)}."
    if "upstream sent too big header" in seen.log:
        message = f"{message.rstrip('.')}: the app's headers are larger than {_buffer(passed)}_buffer_size."
        fix = _larger_buffers(seen) or f"Set {_buffer(passed)}_buffer_size to 32k at {_edit.place(passed)}, and reload nginx."
    return Finding(severity, "visitor_error", message, seen.evidence, fix)


def _buffer(passed: Directive) -> str:
    return passed.name.partition("_")[0]


def _larger_buffers(seen: Seen) -> str:
    """The command that makes room for large headers, "" if the buffers are set already."""
    kind = _buffer(seen.route.directive)
    if any(seen.route.effective(f"{kind}_{name}") for name in ("buffer_size", "buffers", "busy_buffers_size")):
        return ""
    return _edit.before(seen.route.directive, f"{kind}_buffer_size 32k; {kind}_buffers 8 32k;")


def _added(seen: Seen, new: str, replacing: str = "") -> str:
    """The command that adds a header to those that nginx sends to the app, or what to do if none is safe.

    :param replacing: the header that may be there with another value
    """
    passed, name = seen.route.directive, new.split()[0]
    present = seen.route.effective(name)
    old = next((each for each in present if replacing and each.arguments[:1] and each.arguments[0].lower() == replacing), None)
    command = ""
    if old:
        command = _edit.replace(old.file, old.line, f"{old.name} {' '.join(old.arguments)}", new.rstrip(";"))
    elif not present:
        command = _edit.before(passed, new)
    elif present[0].file == passed.file:  # a list of its own would replace an inherited one
        command = _edit.before(present[0], new)
    return (
        command or f"Add '{new.rstrip(';')}' beside {_edit.place(((old and [old]) or present or [passed])[0])}, and reload nginx."
    )
