"""Learning to tell an incident: scenarios, stages, claims from the record, assessment."""
