# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _advice
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._advice import Setup
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._log_causes import PATTERNS, LogCause
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence

AGAIN = "systemctl restart shop"


@pytest.mark.parametrize("kind", [*dict.fromkeys(kind for kind, _pattern in PATTERNS), "exception", "import", "boot"])
def test_what_to_do_is_a_sentence_that_a_shell_makes_nothing_of(kind):
    found = _advice.of_log(LogCause(kind, "It went wrong", "x; reboot"), Setup(AGAIN, "journalctl -u shop"))
    assert is_sentence(found.fix)
    assert not set(found.fix) & set(";|`<>$")
    assert "(journalctl -u shop)" in found.text


@pytest.fixture
def project(tmp_path):
    """A project whose app is one level deeper than its configuration says."""
    (tmp_path / "project/venv").mkdir(parents=True)
    (tmp_path / "project/app.py").write_text("")
    (tmp_path / "project/venv/app.py").write_text("")
    return tmp_path


def missing(name, **setup):
    return _advice.of_log(LogCause("module", f"No module named '{name}'", name), Setup(AGAIN, **setup))


def test_a_module_that_is_not_installed(project):
    found = missing("flask", module="app", directory=str(project), environment="/srv/venv")
    assert found.fix.startswith("Install what provides the module flask into the virtual environment /srv/venv,")


def test_the_apps_own_module_is_in_another_directory(project):
    found = missing("app", module="app", directory=str(project), unit="shop.service")
    assert found.text.endswith(f"it is looked for in {project}, but it is in {project}/project")
    assert f"WorkingDirectory={project}/project\\n" in found.fix
    assert is_sentence(missing("app", module="app", directory=str(project)).fix)


def test_where_it_is_must_be_certain(project):
    (project / "other").mkdir()
    (project / "other/app.py").write_text("")
    assert is_sentence(missing("app", module="app", directory=str(project), unit="shop.service").fix)
    assert _advice.homes_of("app", str(project)) == [f"{project}/other", f"{project}/project"]


def test_a_module_that_the_apps_own_package_does_not_have(project):
    (project / "shop/settings").mkdir(parents=True)
    for name in ("__init__.py", "production.py"):
        (project / "shop/settings" / name).write_text("")
    found = missing("shop.settings.prod", directory=str(project))
    assert found.text.endswith(f"there is no prod in {project}/shop/settings")
    assert found.evidence == ("production.py",)
    assert found.fix.startswith(
        "Correct the name shop.settings.prod where it is set, as in DJANGO_SETTINGS_MODULE, or add prod.py"
    )
    assert "virtual environment" not in found.fix
    assert missing("flask.prod", directory=str(project)).fix.startswith("Install")


def test_a_module_that_is_looked_for_in_a_file_as_if_it_were_a_package(project):
    (project / "shop").mkdir()
    (project / "shop/settings.py").write_text("")
    found = missing("shop.settings.production", module="shop", directory=str(project))
    assert found.fix.startswith(
        "Correct the name shop.settings.production where it is set, as in DJANGO_SETTINGS_MODULE: "
        f"{project}/shop/settings.py is a module, not a package"
    )
    assert missing("shop.settings", directory=str(project)).fix.startswith("Install")


def test_a_variable_that_systemd_ignores_since_its_line_has_export(tmp_path):
    file = tmp_path / "env"
    file.write_text("A=1\nexport SECRET_KEY=hidden\n")
    setups = [Setup(AGAIN, environment_files=[str(file)]), Setup(AGAIN)]
    found = [_advice.of_log(LogCause("variable", "KeyError: 'SECRET_KEY'", "SECRET_KEY"), each) for each in setups]
    assert [f"{file} sets it with 'export'" in each.text for each in found] == [True, False]
    assert "hidden" not in found[0].text


def test_a_directory_for_logs_is_made_at_each_start():
    cause = LogCause("log_directory", "isn't writable", "/var/log/shop/error.log")
    assert "LogsDirectory=shop\\n" in _advice.of_log(cause, Setup(AGAIN, unit="shop.service")).fix
    assert is_sentence(_advice.of_log(cause, Setup(AGAIN)).fix)


def test_uwsgi_without_its_plugin(tmp_path, monkeypatch):
    monkeypatch.setattr(_advice, "PLUGIN", str(tmp_path))
    monkeypatch.setattr(_advice._edit, "set_option", lambda *option: " ".join(option))
    found = _advice.of_log(LogCause("no_plugin", "unavailable modifier"), Setup(AGAIN, files=["/etc/shop.ini"]))
    assert found.fix == f"/etc/shop.ini plugin python3 && {AGAIN}"
