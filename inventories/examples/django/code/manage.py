# SPDX-License-Identifier: GPL-3.0-or-later
"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "board.settings")
execute_from_command_line(sys.argv)
