"""How worker processes end: exit codes, and what the supervisor makes of a child's."""

from __future__ import annotations

#: Drained: everything it held has ended or was given back.
DRAINED = 0
#: Refused to start: unapplied migrations, failing checks, a right that is missing in the database.
REFUSED = 1
#: The grace period ended, or a second TERM or INT came, while steps were still running; others resume them.
CUT_SHORT = 2
#: A source file changed: the supervisor starts another child at once.
RELOAD = 3
#: A child only: the database refuses what a worker needs. The supervisor ends as REFUSED. Not 1, which is also what
#: Python makes of an import error, as while a file is being edited under --reload.
MISCONFIGURED = 4
