"""The watch: reads how things stand, keeps the alerts, and sees to it that people are told."""
