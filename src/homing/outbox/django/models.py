"""The outbox's table: the same columns as `homing.outbox.sqlalchemy` has."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from homing.outbox.row import TABLE


class OutboxRow(models.Model):
    """A message on its way to Homing."""

    number = models.BigAutoField(primary_key=True)
    id = models.CharField(max_length=64, unique=True)
    event_type = models.CharField(max_length=256)
    payload = models.TextField()
    channels = models.TextField(null=True)
    created_at_us = models.BigIntegerField()
    offered_at_us = models.BigIntegerField(null=True)
    accepted_at_us = models.BigIntegerField(null=True)
    message_id = models.CharField(max_length=64, null=True)
    problem = models.TextField(null=True)

    class Meta:
        db_table = TABLE
        indexes = (
            models.Index(
                fields=["number"],
                name="homing_outbox_pending",
                condition=Q(accepted_at_us__isnull=True, problem__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.id} {self.event_type}"
