"""What deserves an alert: conditions as pure functions of readings, and what an alert then says."""
