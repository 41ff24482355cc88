"""The page of one workflow: what it shows, one concern a room; the template escapes every text."""
