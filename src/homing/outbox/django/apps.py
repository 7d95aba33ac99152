"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Makes the table and the command known."""

    name = "homing.outbox.django"
    label = "homing_outbox"
    verbose_name = "Homing outbox"
    default_auto_field = "django.db.models.BigAutoField"
