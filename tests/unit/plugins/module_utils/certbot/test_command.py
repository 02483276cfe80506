# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _command
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._command import CertbotSettings
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

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
    "the CA could not validate c.test: Non-200 status code from HTTP:"
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
    ("output", "said", "fix"),
    [
        (UNREACHED, UNREACHED_SAID, "fix that"),
        (LIMITED, LIMITED_SAID, "wait until the rate limit is over"),
        (UNKNOWN_OPTION, UNKNOWN_SAID, "fix that"),
        (BUSY, "certbot says: Another instance of Certbot is already running", "wait until it has ended"),
        ("", "certbot says: certbot ended with code 1 and no output", "fix that"),
    ],
)
def test_what_certbot_says_is_told_in_a_sentence(output, said, fix):
    failure = _command.failure(Completed(("certbot",), 1, output))
    assert failure.cause.startswith(f"{said}; {fix}")
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
            'the CA says: The server will not issue it :: forbidden by policy: "a.test" (rejectedIdentifier); fix that',
        ),
        (
            "rateLimited :: There were too many requests :: too many certificates already issued.",
            "the CA says: There were too many requests :: too many certificates already issued (rateLimited); wait",
        ),
    ],
)
def test_what_certbot_does_not_say_is_in_its_log(kind, said):
    failure = _command.failure(Completed(("certbot",), 1, UNSPOKEN), REFUSED.format(kind=kind))
    assert failure.cause.startswith(said)
    assert kind.partition(" ")[0] in failure.log


def test_the_log_of_another_certbot_is_not_ours():
    assert "Another instance" in _command.cause(Completed(("certbot",), 1, BUSY), REFUSED.format(kind="rateLimited :: wait"))


def test_a_log_of_another_time_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_command, "LOG", str(tmp_path / "letsencrypt.log"))
    assert _command.logged(0) == ""
    (tmp_path / "letsencrypt.log").write_text("words")
    assert _command.logged(0) == "words"
    assert _command.logged(9e9) == ""


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
    assert _command.authenticator(options) == way


@pytest.mark.parametrize(
    ("options", "refused"),
    [(["--must-staple"], ""), (["--server=https://ca.test/dir"], "--server=https://ca.test/dir"), (["-d a.test"], "-d")],
)
def test_options_that_follow_from_others_are_refused(options, refused):
    assert _command.refused(options) == refused


@pytest.mark.parametrize(
    ("configuration", "server"),
    [
        ("", _command.LETSENCRYPT),
        ("# server = https://no.test/dir\nmax-log-backups = 0\n", _command.LETSENCRYPT),
        ("email = a@b.test\nserver = https://ca.test/dir\n", "https://ca.test/dir"),
    ],
)
def test_the_server_is_the_one_of_certbots_configuration(configuration, server):
    assert _command.default_server(configuration) == server


def test_an_account_is_at_one_server(tmp_path):
    server = "https://localhost:14000/dir"
    assert not _command.has_account(server, str(tmp_path))
    (tmp_path / "accounts/localhost:14000/dir").mkdir(parents=True)
    assert not _command.has_account(server, str(tmp_path))
    (tmp_path / "accounts/localhost:14000/dir/dacc28e5").mkdir()
    assert _command.has_account(server, str(tmp_path))
    assert not _command.has_account("https://localhost:14001/dir", str(tmp_path))


def test_a_command_names_the_lineage_and_all_domains():
    argv = _command.command("shop", ["a.test", "b.test"], CertbotSettings("https://ca.test/dir"))
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
    hook = options.pop("hook", "")
    argv = _command.command("shop", ["a.test"], CertbotSettings("https://ca.test/dir", "/srv", **options), hook)
    assert set(there) <= set(argv)
    assert not set(not_there) & set(argv)


def test_another_certbot_is_waited_for(monkeypatch):
    answers = [Completed(("certbot",), 1, BUSY), Completed(("certbot",), 1, BUSY), Completed(("certbot",), 0, "done")]
    monkeypatch.setattr(_command, "run", lambda *_arguments, **_options: answers.pop(0))
    monkeypatch.setattr(_command, "PAUSE", 0)
    assert _command.call(["certbot"], {}).output == "done"


@pytest.mark.parametrize(
    ("kinds", "asked"),
    [
        (["badNonce", "badNonce", ""], 3),
        (["badNonce", "rateLimited"], 2),
        (["rateLimited"], 1),
        (["badNonce"] * 9, _command.ATTEMPTS),
        ([""], 1),
    ],
)
def test_a_nonce_that_is_refused_is_not_the_end(monkeypatch, kinds, asked):
    answers = [(Completed(("certbot",), int(kind != ""), kind), REFUSED.format(kind=f"{kind} :: no")) for kind in kinds]
    calls = []
    monkeypatch.setattr(_command, "call", lambda *_arguments: calls.append(answers[len(calls)]) or calls[-1][0])
    monkeypatch.setattr(_command, "logged", lambda _since: calls[-1][1])
    ended, log = _command.obtain(["certbot"], {})
    assert len(calls) == asked
    assert ended.output == kinds[asked - 1]
    assert (kinds[asked - 1] in log) if ended.code else not log


def test_another_certbot_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(_command, "run", lambda *_arguments, **_options: Completed(("certbot",), 1, BUSY))
    assert _command.call(["certbot"], {}, patience=-1).code == 1
