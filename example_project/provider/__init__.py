"""A payment provider as one meets them: a service over HTTP, elsewhere, not always well."""
