"""Files: the container of integer networks, zip archives, and what is written whole or not at all."""
