"""Floor 3: the eight steps, from data and a requirement to a deployable network and its report."""
