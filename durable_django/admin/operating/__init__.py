"""What operators change in the admin: one table of verbs, one way to confirm, do and record them."""
