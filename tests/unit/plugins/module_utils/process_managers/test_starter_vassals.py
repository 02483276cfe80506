# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starter_vassals
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import CONFIGURATION, Catalog, Starter, Text


@pytest.fixture
def vassals(tmp_path, monkeypatch):
    """A directory of vassals, and one of Debian's apps."""
    for name in ("vassals", "apps"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(_starter_vassals, "DEBIAN_APPS", str(tmp_path / "apps"))
    return tmp_path


def emperor(text):
    return Starter("emperor.service", texts=(Text("uwsgi --ini e.ini"), Text(text, "", "/etc/e.ini", CONFIGURATION)))


@pytest.mark.parametrize("place", ["{}/vassals", "{}/vassals/*.ini"])
def test_the_vassal_that_names_a_path(vassals, place):
    path = vassals / "vassals/shop.ini"
    path.write_text("[uwsgi]\nsocket = /run/%n.sock\n")
    found = _starter_vassals.read([emperor(f"emperor = {place.format(vassals)}\n")])
    (named,) = Catalog(tuple(found)).naming("/run/shop.sock")
    assert (named.starter.unit, named.starter.vassal) == ("emperor.service", str(path))


def test_a_vassal_whose_link_leads_nowhere_is_kept(vassals):
    (vassals / "vassals/shop.ini").symlink_to("/nowhere/shop.ini")
    (found,) = _starter_vassals.read([emperor(f"emperor = {vassals}/vassals\n")])
    assert found.dangling == "/nowhere/shop.ini"


def test_an_on_demand_vassal_is_named_by_the_file_of_its_socket(vassals):
    (vassals / "vassals/shop.ini").write_text("[uwsgi]\n")
    (vassals / "vassals/shop.ini.socket").write_text("/run/shop.sock\n")
    text = f"emperor = {vassals}/vassals\nemperor-on-demand-extension = .socket\n"
    assert Catalog(tuple(_starter_vassals.read([emperor(text)]))).naming("/run/shop.sock")


def test_an_app_of_debians_package_has_a_socket_of_its_own(vassals):
    (vassals / "apps/shop.ini").write_text("[uwsgi]\n")
    (named,) = Catalog(tuple(_starter_vassals.read([]))).naming("/run/uwsgi/app/shop/socket")
    assert named.starter.unit == "uwsgi.service"


@pytest.mark.parametrize(
    ("text", "found"), [("emperor-tyrant = true", True), ("emperor-tyrant", True), ("emperor = x", False), ("", False)]
)
def test_a_tyrant(text, found):
    assert _starter_vassals.is_tyrant([Text(text)]) is found
