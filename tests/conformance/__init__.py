"""Django's own tests of tasks, run against this backend: fetched from Django's source distribution, not copied."""
