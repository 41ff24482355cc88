"""Two projects that share one database, each with its own settings, workflows, queues and schedules."""
