"""What operators do in the admin, in a real Chromium: see chromium.py for where it comes from."""
