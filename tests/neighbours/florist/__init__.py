"""The project of a florist."""
