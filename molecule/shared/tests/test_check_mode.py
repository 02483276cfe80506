# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run of a host that has converged announces nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import yaml
from conftest import SCENARIO, ansible


def test_check_mode_announces_no_change():
    settings = yaml.safe_load(Path(os.environ["MOLECULE_FILE"]).read_text())["ansible"]
    arguments = settings["executor"]["args"]["ansible_playbook"]
    shown = ansible("ansible-playbook", "--check", "--diff", *arguments, SCENARIO / settings["playbooks"]["converge"])
    assert re.findall(r"changed=(\d+)", shown) == ["0", "0"], shown
