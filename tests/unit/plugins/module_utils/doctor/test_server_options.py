# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _server_options

INI = """\
# a comment
[uwsgi]
plugins = python3, gevent
base = /srv/shop
chdir = %(base)/app
virtualenv = %(base)/venv
socket = /run/%n.sock
listen = 200
ini = %d/common.ini
logto = /var/log/uwsgi/%n.log
[other]
listen = 5
"""
YAML = "uwsgi:\n  home: /srv/shop/venv\n  plugin: python3\n"
GUNICORN = 'import os\nbind = "unix:/run/shop.sock"\nbacklog = 512\nworkers = os.cpu_count()\nerrorlog = "-"\n'


def options(words, **files):
    texts = {f"/srv/shop/{name.replace('_', '.', 1)}": text for name, text in files.items()}
    return _server_options.read(words.split(), "/srv/shop", lambda path: texts.get(path, ""))


def test_a_configuration_of_uwsgi_is_read_with_its_placeholders():
    found = options("/usr/bin/uwsgi --ini shop.ini --strict", shop_ini=INI, common_ini="[uwsgi]\nmaster = true\n")
    assert found.files == ["/srv/shop/shop.ini", "/srv/shop/common.ini"]
    assert found.plugins() == ["python3", "gevent"]
    assert found.backlog() == 200
    assert found.environment("/srv/shop") == "/srv/shop/venv"
    assert found.last("socket") == "/run/shop.sock"
    assert found.last("master") == "true"
    assert found.log("/srv/shop") == "/var/log/uwsgi/shop.log"


@pytest.mark.parametrize("words", ["uwsgi shop.yml", "uwsgi --yaml shop.yml", "uwsgi --yaml=shop.yml"])
def test_a_configuration_may_be_yaml(words):
    found = options(words, shop_yml=YAML)
    assert found.environment("/srv/shop") == "/srv/shop/venv"
    assert found.plugins() == ["python3"]


def test_options_of_a_command_line_are_read():
    found = options("uwsgi --master --plugin python3 -H venv -l 99 --module wsgi")
    assert (found.environment("/srv/shop"), found.backlog(), found.plugins()) == ("/srv/shop/venv", 99, ["python3"])


def test_what_is_only_known_when_it_runs_is_not_told():
    found = options("uwsgi shop.ini", shop_ini="[uwsgi]\nhome = $(HOME)/venv\nplugins = %(unknown)\nlisten = %(backlog)\n")
    assert (found.environment("/"), found.plugins(), found.backlog()) == ("", [], 0)


@pytest.mark.parametrize("words", ["gunicorn shop:app", "/srv/shop/venv/bin/python3 /srv/shop/venv/bin/gunicorn shop:app"])
def test_a_configuration_of_gunicorn_is_read_and_not_run(words):
    read = _server_options.read(words.split(), "/srv/shop", lambda path: GUNICORN if path == "/srv/shop/gunicorn.conf.py" else "")
    assert (read.server, read.backlog(), read.last("bind"), read.log("/srv/shop")) == (
        "gunicorn",
        512,
        "unix:/run/shop.sock",
        "",
    )


def test_a_configuration_that_is_no_python_is_passed_over():
    assert options("gunicorn -c conf.py", conf_py="bind = ").values == {"config": ["conf.py"]}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["/usr/bin/uwsgi", "--ini", "a.ini"], "uwsgi"),
        (["/usr/bin/uwsgi-core"], "uwsgi"),
        (["gunicorn: master [shop]"], "gunicorn"),
        (["/venv/bin/python", "-m", "gunicorn"], "gunicorn"),
        (["/usr/bin/python3", "/srv/shop/run.py"], "python3"),
        ([""], ""),
    ],
)
def test_the_server_is_told_by_its_command(words, kind):
    assert _server_options.kind(words) == kind


def test_files_that_include_each_other_end():
    assert options("uwsgi a.ini", a_ini="[uwsgi]\nini = b.ini\n", b_ini="[uwsgi]\nini = a.ini\n").files == [
        "/srv/shop/a.ini",
        "/srv/shop/b.ini",
    ]


@pytest.mark.parametrize(
    ("words", "module", "daemon"),
    [
        (["gunicorn", "-b", "127.0.0.1:8000", "shop.wsgi:application"], "shop", False),
        (["gunicorn", "--daemon", "shop:create_app()"], "shop", True),
        (["gunicorn", "shop:app", "&"], "shop", True),
        (["gunicorn", "-D", "-c", "x.py"], "", True),
        (["uwsgi", "--module", "shop.wsgi:application", "--daemonize", "/var/log/x.log"], "shop", True),
        (["uwsgi", "--wsgi-file", "shop.py"], "", False),
    ],
)
def test_the_app_and_whether_its_server_goes_to_the_background(words, module, daemon):
    options = _server_options.read(words, "/srv", lambda path: "")
    assert (options.module(words), options.daemon(words)) == (module, daemon)
