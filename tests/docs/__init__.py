"""The written side: samples run, names are documented, links resolve."""
