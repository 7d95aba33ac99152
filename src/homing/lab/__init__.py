"""A practice ground: services that lose webhooks by a true fault, and the logs they leave."""
