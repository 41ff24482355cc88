"""The demo: a few hundred checkouts, two workers, one of them killed; then every sum is checked."""
