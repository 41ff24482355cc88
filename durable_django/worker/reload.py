"""--reload: notice that a source file has changed, so that the process can drain and begin anew."""

from __future__ import annotations

from pathlib import Path

from django.utils import autoreload

from durable_django.base import clock

_GLANCE_SECONDS = 1.0


class Changes:
    """
    The source files of the loaded modules, as Django's autoreloader finds them, and when they were changed.

    Django's own reloader ends the process with sys.exit(3) in the middle of whatever it does, and takes SIGTERM for
    itself; only its list of files is used here.
    """

    def __init__(self) -> None:
        self._seen = self._snapshot()
        self._looked_at = clock.elapsed_seconds()

    def found(self) -> bool:
        """Whether a file has changed since the last look; looks at most once a second."""
        now = clock.elapsed_seconds()
        if now - self._looked_at < _GLANCE_SECONDS:
            return False
        self._looked_at = now
        before, self._seen = self._seen, self._snapshot()
        return any(before.get(path, changed_at) != changed_at for path, changed_at in self._seen.items())

    @staticmethod
    def _snapshot() -> dict[Path, float]:
        snapshot = {}
        for path in autoreload.iter_all_python_module_files():
            try:
                snapshot[path] = path.stat().st_mtime
            except OSError:
                # Deleted while it was looked at; the next look finds the one that replaces it.
                continue
        return snapshot
