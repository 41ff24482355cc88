"""A newsletter as a third party would publish it: it knows Django's own tasks, and nothing of durable_django."""
