"""The JSON API, and later the dashboard and the portal."""
