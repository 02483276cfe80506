# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules have in common: check mode, diff mode, platform, root."""

from __future__ import annotations


class ModuleDocFragment:
    # A module that changes a host.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Predicts what would change, and does not change the host.
    support: full
  diff_mode:
    description: Shows what changed, or in check mode what would change.
    support: full
  platform:
    description: Debian, and distributions based on it.
    support: full
    platforms: debian
"""

    # A module that only looks.
    READER = r"""
options: {}
attributes:
  check_mode:
    description: The module never changes the host.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
  platform:
    description: Debian, and distributions based on it.
    support: full
    platforms: debian
"""

    ROOT = r"""
options: {}
notes:
  - Needs root, so set C(become=true).
"""
