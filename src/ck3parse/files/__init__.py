"""Which files there are, and reading them."""
