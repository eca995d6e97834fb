"""From a requirement to thresholds: the search over widths, pruning rates and activation bits."""
