# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starter_units
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import SCRIPT, Catalog, Text


@pytest.fixture
def units(tmp_path, monkeypatch):
    """A directory of units, and what is found in it."""
    monkeypatch.setattr(_starter_units._systemd, "loaded", lambda patterns, limit: [])
    directory = tmp_path / "units"
    directory.mkdir()

    def naming(address, **files):
        for name, text in files.items():
            path = directory / name.replace("__", "@").replace("_", ".")
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text)
        plain, templates = _starter_units.read([str(directory)])
        return [each.starter.unit for each in Catalog(tuple(plain), tuple(templates)).naming(address)]

    naming.directory = directory
    return naming


def test_a_command_names_an_address(units):
    assert units("127.0.0.1:8000", shop_service="[Service]\nExecStart=/usr/bin/gunicorn \\\n -b :8000 app\n") == ["shop.service"]


def test_the_last_command_counts(units):
    drop_in = units.directory / "shop.service.d"
    drop_in.mkdir()
    (drop_in / "port.conf").write_text("[Service]\nExecStart=\nExecStart=/usr/bin/gunicorn -b :8001 app\n")
    unit = "[Service]\nExecStart=/usr/bin/gunicorn -b :8000 app\n"
    assert units("127.0.0.1:8000", shop_service=unit) == []
    assert units("127.0.0.1:8001") == ["shop.service"]


def test_an_environment_file_names_it(units, tmp_path):
    (tmp_path / "env").write_text("BIND=127.0.0.1:8000\nSECRET=x\n")
    unit = f"[Service]\nEnvironmentFile=-{tmp_path}/env\nExecStart=/usr/bin/gunicorn -b ${{BIND}} app\n"
    assert units("127.0.0.1:8000", shop_service=unit) == ["shop.service"]


def test_a_script_names_it_in_its_variables(units, tmp_path):
    script = tmp_path / "start"
    script.write_text(f"#!/bin/bash\nDIR={tmp_path}\ncd $DIR\nexec venv/bin/gunicorn --bind=unix:$DIR/run/app.sock app\n")
    unit = f"[Service]\nExecStart={script}\n"
    assert units(f"{tmp_path}/run/app.sock", shop_service=unit) == ["shop.service"]


def test_a_configuration_names_it_relative_to_the_directory_of_the_unit(units, tmp_path):
    (tmp_path / "shop.ini").write_text("[uwsgi]\nchdir = /home/sammy/shop\nsocket = shop.sock\n")
    unit = f"[Service]\nWorkingDirectory={tmp_path}\nExecStart=/usr/bin/uwsgi --ini shop.ini\n"
    assert units("/home/sammy/shop/shop.sock", shop_service=unit) == ["shop.service"]
    assert units("/home/other/shop/shop.sock") == []


def test_an_instance_is_found_by_the_files_of_its_template(units, tmp_path):
    (tmp_path / "shop.ini").write_text("[uwsgi]\nsocket = /run/any.sock\n")
    unit = f"[Service]\nExecStart=/usr/bin/uwsgi --ini {tmp_path}/%i.ini\n"
    assert units("/run/any.sock", web___service=unit) == ["web@shop.service"]


def test_an_instance_that_is_enabled_is_known(units, tmp_path):
    wants = units.directory / "multi-user.target.wants"
    wants.mkdir()
    (wants / "web@shop.service").symlink_to("../web@.service")
    unit = "[Service]\nExecStart=/usr/bin/gunicorn -b unix:/run/%i.sock app\n"
    assert units("/run/shop.sock", web___service=unit) == ["web@shop.service"]


def test_the_server_that_a_script_starts():
    script = "#!/bin/sh\ncd /srv/shop\nexec venv/bin/gunicorn app:application \\\n  --workers 2\n"
    assert _starter_units.server_command([Text(script, "/srv/shop", "/srv/shop/start", SCRIPT)]) == (
        "/srv/shop",
        ["venv/bin/gunicorn", "app:application", "--workers", "2"],
    )
    assert _starter_units.server_command([Text("exec gunicorn app", "/srv/shop", "/x")]) is None


@pytest.mark.parametrize(("rest", "end"), [("", ["&"]), ("wait\n", []), ("echo wait\n", ["&"])])
def test_a_script_that_ends_before_its_server(rest, end):
    script = Text(f"#!/bin/sh\nnohup gunicorn app &\n{rest}", "/srv/shop", "/srv/shop/start", SCRIPT)
    assert _starter_units.server_command([script]) == ("/srv/shop", ["gunicorn", "app", *end])
