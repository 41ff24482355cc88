"""A small shop: orders are imported from a file and checked out by a durable workflow."""
