"""What the page draws and the other keys of the report do not hold: counts, histograms and small pictures."""
