# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run of a host that has converged announces nothing."""

from __future__ import annotations

import os
import re
import subprocess


def test_check_mode_announces_no_change():
    scenario = os.environ["MOLECULE_SCENARIO_DIRECTORY"]
    inventories = [os.environ["MOLECULE_EPHEMERAL_DIRECTORY"] + "/inventory", f"{scenario}/../shared/inventory"]
    options = [option for inventory in inventories for option in ("--inventory", inventory)]
    done = subprocess.run(
        ["ansible-playbook", "--check", "--diff", *options, f"{scenario}/../shared/converge.yml"],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"changed=(\d+)", done.stdout) == ["0", "0"], done.stdout
