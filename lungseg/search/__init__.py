"""The search for good settings: what trials are given, and what is kept of them."""
