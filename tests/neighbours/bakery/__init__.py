"""The project of a bakery."""
