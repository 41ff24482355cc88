"""A runnable Django project that shows durable_django at work in a small shop."""
