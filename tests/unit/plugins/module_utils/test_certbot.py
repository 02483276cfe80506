# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _certbot
from ansible_collections.wsgi.stack.plugins.module_utils._process import Completed
from ansible_collections.wsgi.stack.plugins.module_utils._values import AppError

HELP = (
    "Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile"
    " /var/log/letsencrypt/letsencrypt.log or re-run Certbot with -v for more details.\n"
)

# What certbot 2.1 and 4.0 printed.
UNREACHED = f"""\
Saving debug log to /var/log/letsencrypt/letsencrypt.log
Requesting a certificate for c.test

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: c.test
  Type:   unauthorized
  Detail: Non-200 status code from HTTP: http://c.test:80/.well-known/acme-challenge/15qa returned 404

  Domain: d.test
  Type:   connection
  Detail: 192.0.2.1: Fetching http://d.test/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem)

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot. Ensure that the listed
 domains serve their content from the provided --webroot-path/-w.

Some challenges have failed.
{HELP}"""
LIMITED = f"""\
Saving debug log to /var/log/letsencrypt/letsencrypt.log
Requesting a certificate for a.test
An unexpected error occurred:
Error creating new order :: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s,
 retry after 2026-11-21 01:02:03 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers
{HELP}"""
UNKNOWN_OPTION = "usage: \n  certbot [SUBCOMMAND] [options]\n\ncertbot: error: unrecognized arguments: --nonsense\n"
BUSY = f"Another instance of Certbot is already running.\n{HELP}"


UNREACHED_SAID = (
    "the CA did not find the answer to its challenge: c.test: Non-200 status code from HTTP:"
    " http://c.test:80/.well-known/acme-challenge/15qa returned 404 (unauthorized); d.test: 192.0.2.1: Fetching"
    " http://d.test/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem) (connection)"
)
LIMITED_SAID = (
    "certbot says: Error creating new order :: too many certificates (5) already issued for this exact set of identifiers in the"
    " last 168h0m0s, retry after 2026-11-21 01:02:03 UTC: see"
    " https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers"
)
UNKNOWN_SAID = "certbot says: usage: certbot [SUBCOMMAND] [options] certbot: error: unrecognized arguments: --nonsense"


@pytest.mark.parametrize(
    ("output", "said", "cure"),
    [
        (UNREACHED, UNREACHED_SAID, "mend that"),
        (LIMITED, LIMITED_SAID, "wait until the limit is over"),
        (UNKNOWN_OPTION, UNKNOWN_SAID, "mend that"),
        (BUSY, "certbot says: Another instance of Certbot is already running", "see what it does"),
        ("", "certbot says: certbot ended with code 1 and no output", "mend that"),
    ],
)
def test_what_certbot_says_is_told_in_a_sentence(output, said, cure):
    failure = _certbot.failure(Completed(("certbot",), 1, output))
    assert failure.cause.startswith(f"{said}; {cure}")
    assert failure.cause.endswith(".")
    assert failure.log == output


# Of a CA's refusal certbot 2.1 on Python 3.11 prints this, and logs that.
UNSPOKEN = f"An unexpected error occurred:\nAttributeError: can't set attribute\n{HELP}"
REFUSED = """\
2026-11-20 20:59:31,074:DEBUG:certbot._internal.log:Exiting abnormally:
Traceback (most recent call last):
    raise messages.Error.from_json(jobj)
acme.messages.Error: urn:ietf:params:acme:error:{kind}

During handling of the above exception, another exception occurred:

AttributeError: can't set attribute
"""


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            'rejectedIdentifier :: The server will not issue it :: forbidden by policy: "a.test"',
            'the CA says: The server will not issue it :: forbidden by policy: "a.test" (rejectedIdentifier); mend that',
        ),
        (
            "rateLimited :: There were too many requests :: too many certificates already issued.",
            "the CA says: There were too many requests :: too many certificates already issued (rateLimited); wait",
        ),
    ],
)
def test_what_certbot_does_not_say_is_in_its_log(kind, said):
    failure = _certbot.failure(Completed(("certbot",), 1, UNSPOKEN), REFUSED.format(kind=kind))
    assert failure.cause.startswith(said)
    assert kind.partition(" ")[0] in failure.log


def test_the_log_of_another_certbot_is_not_ours():
    assert "Another instance" in _certbot.cause(Completed(("certbot",), 1, BUSY), REFUSED.format(kind="rateLimited :: wait"))


def test_a_log_of_another_time_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_certbot, "LOG", str(tmp_path / "letsencrypt.log"))
    assert _certbot.logged(0) == ""
    (tmp_path / "letsencrypt.log").write_text("words")
    assert _certbot.logged(0) == "words"
    assert _certbot.logged(9e9) == ""


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ([], "webroot"),
        (["--preferred-chain 'ISRG Root X1'"], "webroot"),
        (["--standalone"], "standalone"),
        (["--dns-rfc2136", "--dns-rfc2136-credentials", "/etc/rfc2136.ini"], "dns-rfc2136"),
        (["--dns-rfc2136-credentials /etc/rfc2136.ini", "-a dns-rfc2136"], "dns-rfc2136"),
        (["--authenticator=manual", "--manual-auth-hook /usr/local/bin/hook"], "manual"),
    ],
)
def test_options_may_name_another_way_to_prove_names(options, way):
    assert _certbot.way(options) == way


@pytest.mark.parametrize(
    ("options", "refused"),
    [(["--must-staple"], ""), (["--server=https://ca.test/dir"], "--server=https://ca.test/dir"), (["-d a.test"], "-d")],
)
def test_options_that_follow_from_others_are_refused(options, refused):
    assert _certbot.refused(options) == refused


@pytest.mark.parametrize(
    ("configuration", "server"),
    [
        ("", _certbot.LETSENCRYPT),
        ("# server = https://no.test/dir\nmax-log-backups = 0\n", _certbot.LETSENCRYPT),
        ("email = a@b.test\nserver = https://ca.test/dir\n", "https://ca.test/dir"),
    ],
)
def test_the_server_is_the_one_of_certbots_configuration(configuration, server):
    assert _certbot.default_server(configuration) == server


def test_an_account_is_at_one_server(tmp_path):
    server = "https://localhost:14000/dir"
    assert not _certbot.has_account(server, str(tmp_path))
    (tmp_path / "accounts/localhost:14000/dir").mkdir(parents=True)
    assert not _certbot.has_account(server, str(tmp_path))
    (tmp_path / "accounts/localhost:14000/dir/dacc28e5").mkdir()
    assert _certbot.has_account(server, str(tmp_path))
    assert not _certbot.has_account("https://localhost:14001/dir", str(tmp_path))


def test_a_command_names_the_lineage_and_all_domains():
    argv = _certbot.command("shop", ["a.test", "b.test"], "https://ca.test/dir", webroot="/var/lib/wsgi/acme")
    text = " ".join(argv)
    assert text == (
        "certbot certonly --non-interactive --cert-name shop --server https://ca.test/dir --force-renewal"
        " --renew-with-new-domains --webroot --webroot-path /var/lib/wsgi/acme --domain a.test --domain b.test"
    )


@pytest.mark.parametrize(
    ("options", "there", "not_there"),
    [
        ({"agree_tos": True}, ["--agree-tos", "--register-unsafely-without-email"], ["--email"]),
        ({"agree_tos": True, "email": "a@b.test"}, ["--email", "a@b.test"], ["--register-unsafely-without-email"]),
        ({"email": "a@b.test"}, [], ["--email", "--agree-tos"]),
        ({"options": ["--dns-x --dns-x-credentials '/etc/a b'"]}, ["--dns-x", "/etc/a b"], ["--webroot"]),
        ({"key_type": "rsa"}, ["--key-type", "rsa"], []),
        ({"hook": "systemctl reload postfix"}, ["--deploy-hook", "systemctl reload postfix"], []),
    ],
)
def test_a_command_says_what_is_asked_for(options, there, not_there):
    argv = _certbot.command("shop", ["a.test"], "https://ca.test/dir", webroot="/srv", **options)
    assert set(there) <= set(argv)
    assert not set(not_there) & set(argv)


def test_another_certbot_is_waited_for(monkeypatch):
    answers = [Completed(("certbot",), 1, BUSY), Completed(("certbot",), 1, BUSY), Completed(("certbot",), 0, "done")]
    monkeypatch.setattr(_certbot, "run", lambda *_arguments, **_options: answers.pop(0))
    monkeypatch.setattr(_certbot, "PAUSE", 0)
    assert _certbot.call(["certbot"], {}).output == "done"


@pytest.mark.parametrize(
    ("kinds", "asked"),
    [
        (["badNonce", "badNonce", ""], 3),
        (["badNonce", "rateLimited"], 2),
        (["rateLimited"], 1),
        (["badNonce"] * 9, _certbot.ATTEMPTS),
        ([""], 1),
    ],
)
def test_a_nonce_that_is_refused_is_not_the_end(monkeypatch, kinds, asked):
    answers = [(Completed(("certbot",), int(kind != ""), kind), REFUSED.format(kind=f"{kind} :: no")) for kind in kinds]
    calls = []
    monkeypatch.setattr(_certbot, "call", lambda *_arguments: calls.append(answers[len(calls)]) or calls[-1][0])
    monkeypatch.setattr(_certbot, "logged", lambda _since: calls[-1][1])
    ended, log = _certbot.obtain(["certbot"], {})
    assert len(calls) == asked
    assert ended.output == kinds[asked - 1]
    assert (kinds[asked - 1] in log) if ended.code else not log


def test_another_certbot_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(_certbot, "run", lambda *_arguments, **_options: Completed(("certbot",), 1, BUSY))
    assert _certbot.call(["certbot"], {}, patience=-1).code == 1


@pytest.mark.parametrize(
    ("mode", "domain", "options", "refused"),
    [
        ("certbot", "*.a.test", [], True),
        ("certbot", "*.a.test", ["--rsa-key-size=4096"], True),
        ("certbot", "*.a.test", ["--dns-rfc2136"], False),
        ("certbot", "*.a.test", ["--manual"], False),
        ("certbot", "*.a.test", ["--rsa-key-size=4096", "-a", "dns-ovh"], False),
        ("certbot", "*.a.test", ["--standalone", "--http-01-port 5002"], True),
        ("certbot", "a.test", [], False),
        ("self_signed", "*.a.test", [], False),
    ],
)
def test_a_wildcard_needs_another_way_than_http(mode, domain, options, refused):
    app = {"name": "a", "domains": [domain], "tls": {"mode": mode}}
    if not refused:
        _certbot.check_wildcards(app, options)
        return
    with pytest.raises(AppError, match=r"^app a: tls\.mode: found certbot with the domain \*\.a\.test"):
        _certbot.check_wildcards(app, options)


def test_options_that_no_shell_would_read_are_refused():
    app = {"name": "a", "domains": ["a.test"], "tls": {"mode": "certbot"}}
    with pytest.raises(AppError, match=r"^certbot_options: they cannot be read: No closing quotation; write each as in a shell"):
        _certbot.check_wildcards(app, ["--manual-auth-hook 'x"])
