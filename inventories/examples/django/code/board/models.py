# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture, its title and its size."""

from django.db import models


class Picture(models.Model):
    """What was put on the board."""

    title = models.CharField(max_length=100)
    file = models.FileField(upload_to="pictures")
    size = models.PositiveBigIntegerField(null=True, editable=False)
