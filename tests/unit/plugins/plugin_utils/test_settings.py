# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared settings."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.plugin_utils import _settings


def read(**variables):
    return _settings.read(variables, lambda value: value)


ROOT = "an absolute path of letters, digits, '.', '_' and '-', without '..'"


def test_what_is_not_set_has_its_default():
    settings = read()
    assert settings["directory"] == "/srv/wsgi"
    assert settings["nginx_http_ports"] == [80]
    assert settings["defer_failures"] is False
    assert settings["base_directory"] is None


def test_what_is_set_wins():
    settings = read(wsgi_directory="/opt/wsgi", wsgi_preview="yes", nginx_http_ports=["8080"], inventory_dir="/etc/inventory")
    assert (settings["directory"], settings["preview"]) == ("/opt/wsgi", True)
    assert (settings["nginx_http_ports"], settings["base_directory"]) == ([8080], "/etc/inventory")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"wsgi_prune": "maybe"}, "wsgi_prune: 'maybe' is not valid; set it to true or false."),
        ({"nginx_http_ports": [65536]}, "nginx_http_ports: [65536] is not valid; set it to a list of port numbers."),
        (
            {"wsgi_nginx_group": "www-data\nd /etc 0777"},
            "wsgi_nginx_group: a text of several lines is not valid; set it to the name of a user or group.",
        ),
        (
            {"wsgi_list": {"wsgi_apps": ["s3cret"]}},
            "wsgi_list: a dictionary is not valid; set it to 1 to 31 lower-case letters, digits and hyphens, a letter first.",
        ),
        (
            {"wsgi_directory": "/srv/../etc"},
            f"wsgi_directory: '/srv/../etc' is not valid; set it to {ROOT}.",
        ),
        (
            {"wsgi_runtime_directory": "wsgi"},
            f"wsgi_runtime_directory: 'wsgi' is not valid; set it to {ROOT}.",
        ),
        ({"wsgi_nginx_user": "%n"}, "wsgi_nginx_user: '%n' is not valid; set it to the name of a user or group."),
        ({"nginx_http_ports": ["http"]}, "nginx_http_ports: ['http'] is not valid; set it to a list of port numbers."),
    ],
    ids=["switch", "high port", "group", "dictionary", "directory", "runtime directory", "user", "ports"],
)
def test_what_is_wrong_is_named(variables, message):
    with pytest.raises(InventoryError) as caught:
        read(**variables)
    assert str(caught.value) == message


def test_the_apps_are_checked_with_the_settings():
    app = {"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app", "preview_port": 8080}
    (resolved,) = _settings.resolve([app], read(wsgi_stack="gunicorn_supervisor", wsgi_directory="/opt/wsgi"))
    assert (resolved["role"], resolved["directory"]) == ("gunicorn_supervisor", "/opt/wsgi/shop")
    with pytest.raises(InventoryError, match="preview_port"):
        _settings.resolve([app], read(nginx_http_ports=[8080]))


def test_a_list_is_resolved_once_and_what_a_host_adds_is_its_own(monkeypatch):
    app = {"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app"}
    (first,) = _settings.resolve([app], read())
    first["first_host"] = False
    monkeypatch.setattr(_settings._resolve, "resolve", None)
    (again,) = _settings.resolve([dict(app)], read())
    assert (again["name"], again["first_host"]) == ("shop", True)


@pytest.mark.parametrize("only", ["", " , ", [], None])
def test_a_run_for_apps_of_which_none_is_named_is_refused(only):
    with pytest.raises(InventoryError, match=r"^app: it names no app, as -e app=\$APP if "):
        _settings.read({"wsgi_only_apps": only}, lambda value: value, {"app"})
    assert read(wsgi_only_apps=only)["only_apps"] == []
