"""The example project: importer, payment provider, pages and checkout."""
