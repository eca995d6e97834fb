"""What a run found, as JSON and as a page for a terminal."""
