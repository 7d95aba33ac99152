"""Ways to lose a webhook without a trace: one small, true fault each, D1 to D12."""
