"""A folder of texts in many encodings: one child workflow counts each file, their parent gathers a report."""
