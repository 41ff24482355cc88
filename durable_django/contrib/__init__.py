"""Extras, each of which a project turns on by itself; the engine knows none of them."""
