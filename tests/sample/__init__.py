"""A small app of workflows and rows that the tests put to work."""
