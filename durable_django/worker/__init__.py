"""Processes: the supervisor, the worker process, its threads."""
