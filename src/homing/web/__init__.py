"""The JSON API, the pages for people and the portal for receivers."""
