# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of pictures."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes it."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Picture",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=100)),
                ("file", models.FileField(upload_to="pictures")),
                ("size", models.PositiveBigIntegerField(null=True, editable=False)),
            ],
        ),
    )
