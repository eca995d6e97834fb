"""How two arithmetics are told apart, and the oracle kit."""
