"""The surface: what users import, re-exported by the package."""
