"""Ways to round a network's weights, one module a way, and the table of methods on top of them."""
