# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials stay out of what is printed."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._redact import credentials, of_files, redactor

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("secrets", "text", "wanted"),
    [
        ((), "fatal: https://user:hunter22@host/x.git", "fatal: https://***@host/x.git"),
        ((), "https://token0123@host/x", "https://***@host/x"),
        ((), "https://user:p@ss@host/x", "https://***@host/x"),
        ((), "ssh://git@host/x and https://host/a@b", "ssh://git@host/x and https://host/a@b"),
        ((), "postgres://user:hunter22@db/shop", "postgres://***@db/shop"),
        (["https://user:hunter22@host/simple"], "hunter22 at https://host/simple", "*** at https://host/simple"),
        (["https://host/simple?key=abcdef"], "GET https://host/simple?key=abcdef", "GET https://host/simple?***"),
        (["hunter22"], "password hunter22!", "password ***!"),
        (["1", "yes"], "1 yes", "1 yes"),
        (["abcd", "abcdef"], "abcdef", "***"),
        ([KEY], "b3BlbnNzaC1rZXktdjEAAAAA", "***"),
        ([""], "nothing to hide", "nothing to hide"),
    ],
)
def test_credentials_are_hidden_and_the_rest_is_not(secrets, text, wanted):
    assert redactor(secrets)(text) == wanted


def test_the_passwords_of_addresses_are_found():
    text = '[{"git": "https://user:hunter22@host/x"}, {"git": "ssh://git@host/x"}, {"git": "https://token0123@host"}]'
    assert credentials(text) == {"hunter22", "token0123"}


def test_lines_and_assigned_values_of_a_file_are_hidden_and_its_short_words_are_not():
    content = """[database]\npassword = "correct horse"\ntoken: hunter2222\nhost=db\nimport os\n  - listed-secret\n"""
    hide = redactor(of_files({"a.ini": content}))
    assert hide('password = "correct horse" at db') == "*** at db"
    assert hide("hunter2222, 'import os', host=db") == "***, '***', host=db"
    assert hide("- listed-secret") == "***"
