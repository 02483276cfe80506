# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials stay out of what is printed."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._redact import credentials, of_files, redactor, secret_values

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
        (
            ["https://dl.example.com/aBcD1234efgh5678/org/simple/"],
            "https://dl.example.com/aBcD1234efgh5678/org/simple/shop-1.0",
            "https://dl.example.com/***/org/simple/shop-1.0",
        ),
    ],
)
def test_credentials_are_hidden_and_the_rest_is_not(secrets, text, wanted):
    assert redactor(secrets)(text) == wanted


def test_the_passwords_of_addresses_are_found():
    text = '[{"git": "https://user:hunter22@host/x"}, {"git": "ssh://git@host/x"}, {"git": "https://token0123@host"}]'
    assert credentials(text) == {"hunter22", "token0123"}


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("APP_ENV", "production", False),
        ("FLAVOUR", "Production", False),
        ("DB_HOST", "postgres", False),
        ("DB_PASSWORD", "postgres", True),
        ("PGPASSWORD", "production", True),
        ("APP_KEY", "production", True),
        ("DB_NAME", "shop", False),
        ("DB_HOST", "db.internal:5432", False),
        ("DJANGO_SETTINGS_MODULE", "shop.settings", False),
        ("BEPASTY_CONFIG", "bepasty.conf", False),
        ("TRYTOND_DATABASE_NAMES", "tryton", False),
        ("SECRET_FILE", "trustno1", True),
        ("STATIC_ROOT", "/srv/wsgi/shop/shared", False),
        ("FLAVOUR", "hunter22", True),
        ("DB_HOST", "shop:hunter22@db", True),
        ("APP_SETTINGS", '{"password": "hunter22"}', True),
        ("DB_NAME", "host=db password=hunter22", True),
        ("API_USER", "8f3e9d0c1b2a49586f7e", True),
        ("AUTH_USER", "shop", True),
        ("DATABASE_URL", "postgres://shop:hunter22@db/shop", True),
    ],
)
def test_a_value_is_secret_unless_it_is_known_not_to_be(name, value, secret):
    assert secret_values({name: value}) == [value] * secret


def test_a_password_is_hidden_wherever_it_occurs():
    redact = redactor(secret_values({"DB_HOST": "postgres", "DB_PASSWORD": "postgres"}))
    assert redact("no password for postgres at postgres:5432") == "no password for *** at ***:5432"


def test_lines_and_assigned_values_of_a_file_are_hidden_and_its_short_words_are_not():
    content = """[database]\npassword = "correct horse"\ntoken: hunter2222\nhost=db\nimport os\n  - listed-secret\n"""
    hide = redactor(of_files({"a.ini": content}))
    assert hide('password = "correct horse" at db') == "*** at db"
    assert hide("hunter2222, 'import os', host=db") == "***, '***', host=db"
    assert hide("- listed-secret") == "***"
    assert redactor(of_files({"a.ini": "env = production\npassword = production"}))("env: production") == "env: ***"
    assert redactor(of_files({"a.ini": "env = production\nlevel: critical"}))("a production host") == "a production host"
