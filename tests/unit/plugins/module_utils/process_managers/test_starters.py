# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starters
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import (
    COMMAND,
    CONFIGURATION,
    ENVIRONMENT,
    Catalog,
    Starter,
    Text,
)

PATH = "/home/sammy/shop/shop.sock"


@pytest.mark.parametrize(
    ("text", "directory", "found"),
    [
        (f"--bind unix:{PATH} wsgi", "", True),
        (f"socket = {PATH}.old", "", False),
        (f"socket = /chroot{PATH}", "", False),
        ("socket = shop.sock", "/home/sammy/shop/", True),
        ("socket = shop.sock", "/home/sammy", False),
        ("socket = shop/shop.sock", "/home/sammy", True),
        ("socket = ./shop.sock", "/home/sammy/shop", True),
        ("socket = myshop.sock", "/home/sammy/shop", False),
    ],
)
def test_a_path_is_named_in_full_or_relative_to_a_directory(text, directory, found):
    assert _starters.names(text, PATH, directory) is found


@pytest.mark.parametrize("text", ["unix:/var/run/a/b.sock", "unix:///run/a/b.sock"])
def test_run_has_two_names(text):
    assert _starters.names(text, "/run/a/b.sock")
    assert _starters.names(text, "/var/run/a/b.sock")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gunicorn -b 127.0.0.1:8000 app", True),
        ("gunicorn -b 0.0.0.0:8000 app", True),
        ("gunicorn --bind=:8000 app", True),
        ("socket = :8000", True),
        ("uvicorn --port 8000 app:app", True),
        ("PORT=8000", True),
        ("ListenStream=8000", True),
        ("gunicorn -b 127.0.0.1:80001 app", False),
        ("gunicorn -b 10.0.0.5:8000 app", False),
        ("gunicorn --workers 8000 app", False),
    ],
)
def test_a_port_is_named_with_any_host_that_leads_there(text, found):
    assert _starters.names(text, "127.0.0.1:8000") is found


def starter(unit, *texts, **options):
    return Starter(unit, texts=texts, file=f"/etc/{unit}", **options)


def test_the_surest_place_comes_first():
    environment = starter("worker.service", Text("celery"), Text(f"BIND={PATH}", "", "/etc/default/shop", ENVIRONMENT))
    configured = starter("shop.service", Text("gunicorn -c x.py"), Text(f'bind = "unix:{PATH}"', "", "/srv/x.py", CONFIGURATION))
    other = starter("blog.service", Text("gunicorn -b unix:/run/blog.sock"))
    found = Catalog((environment, other, configured)).naming(PATH)
    assert [each.starter.unit for each in found] == ["shop.service", "worker.service"]
    assert found[0].files == ("/srv/x.py", "/etc/shop.service")
    listening = starter("shop.socket", Text(f"ListenStream={PATH}"), listens=True)
    assert Catalog((configured, listening)).naming(PATH)[0].starter.unit == "shop.socket"


def test_of_units_that_share_their_variables_the_server_is_meant():
    shared = Text(f"SOCKET={PATH}", "", "/etc/default/shop", ENVIRONMENT)
    worker, server = starter("a.service", Text("celery"), shared), starter("b.service", Text("gunicorn -c x"), shared)
    assert Catalog((worker, server)).naming(PATH)[0].starter.unit == "b.service"


@pytest.mark.parametrize(
    ("text", "address", "found"),
    [
        ("--bind unix:/run/gunicorn-%i/app.sock", "/run/gunicorn-shop/app.sock", {"shop"}),
        ("--bind unix:/run/gunicorn-%i/app.sock", "/run/gunicorn-shop/other.sock", set()),
        ("--bind=unix:/run/%i/%i.sock", "/run/shop/shop.sock", {"shop"}),
        ("--bind=unix:/run/%i/%i.sock", "/run/shop/blog.sock", set()),
        ("-b 127.0.0.1:80%i", "127.0.0.1:8001", {"01"}),
    ],
)
def test_the_instance_of_a_template_is_found_by_its_address(text, address, found):
    assert _starters.instances(text, address) == found


def test_an_instance_is_a_starter_if_its_directory_is_there(tmp_path):
    (tmp_path / "shop").mkdir()
    template = starter("web@.service", Text("gunicorn -b unix:/run/%i.sock", f"{tmp_path}/%i", "/etc/web@.service"))
    catalog = Catalog((), (template,))
    assert [each.starter.unit for each in catalog.naming("/run/shop.sock")] == ["web@shop.service"]
    assert catalog.naming("/run/blog.sock") == []
    known = Catalog((starter("web@shop.service", Text("gunicorn -b unix:/run/shop.sock"), enabled=True),), (template,))
    assert [each.starter.enabled for each in known.naming("/run/shop.sock")] == [True]
    assert COMMAND < CONFIGURATION
