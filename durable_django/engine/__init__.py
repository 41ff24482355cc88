"""What happens during a run: no processes, no threads of its own."""
