"""Why workflows do not go on, in one sentence each: the one source for the admin and the command line."""
