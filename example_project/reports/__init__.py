"""Reports and supplies, made by the clock: schedules that catch up, and that must not overlap."""
