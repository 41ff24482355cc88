"""Monitoring: what probes, scrapers of metrics and alerts are told of workers, queues and schedules."""
