"""Step 3: what is required, the search for thresholds, and the one decision whether the budget is met."""
