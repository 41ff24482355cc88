"""How worker processes end: exit codes, and what the supervisor makes of a child's."""

from __future__ import annotations

#: Drained: everything it held has ended or was given back.
DRAINED = 0
#: Refused to start (unapplied migrations, failing checks), or the supervisor's children keep dying at once.
REFUSED = 1
#: The grace period ended, or a second TERM or INT came, while steps were still running; others resume them.
CUT_SHORT = 2
#: A source file changed: the supervisor starts another child at once.
RELOAD = 3
