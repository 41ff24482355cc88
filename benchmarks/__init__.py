"""Benchmarks: durable_django beside dbos, a raw driver and plain ORM calls, in the same run on the same database."""
