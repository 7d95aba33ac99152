"""The table, its index and its unique id."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes the outbox."""

    initial = True

    dependencies = ()

    operations = [
        migrations.CreateModel(
            name="OutboxRow",
            fields=[
                ("number", models.BigAutoField(primary_key=True, serialize=False)),
                ("id", models.CharField(max_length=64, unique=True)),
                ("event_type", models.CharField(max_length=256)),
                ("payload", models.TextField()),
                ("channels", models.TextField(null=True)),
                ("created_at_us", models.BigIntegerField()),
                ("offered_at_us", models.BigIntegerField(null=True)),
                ("accepted_at_us", models.BigIntegerField(null=True)),
                ("message_id", models.CharField(max_length=64, null=True)),
                ("problem", models.TextField(null=True)),
            ],
            options={
                "db_table": "homing_outbox",
                "indexes": [
                    models.Index(
                        condition=models.Q(
                            ("accepted_at_us__isnull", True), ("problem__isnull", True)
                        ),
                        fields=["number"],
                        name="homing_outbox_pending",
                    )
                ],
            },
        ),
    ]
