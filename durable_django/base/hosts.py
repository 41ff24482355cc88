"""Which machine and which process this is, so that others on the same machine can tell whether it still lives."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def host() -> dict[str, str]:
    """
    Return what must be equal for two processes to see each other by process number.

    Two containers may share a host name; the boot id and the namespace of process numbers tell them apart. Empty
    where the system does not say (not Linux): then nobody is declared dead by sight, only by lease.
    """
    return {"hostname": socket.gethostname(), "boot_id": _boot_id(), "pid_namespace": _pid_namespace()}


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - not a path, a name such as pid:[4026531836]
    except OSError:
        return ""


def process_started_at(pid: int) -> str:
    """
    Return when a process of this machine began, in clock ticks since boot; empty if it is gone or cannot be seen.

    Process numbers are used again; together with this they are unique for a boot. Source: proc(5), /proc/pid/stat,
    field 22. A zombie, dead but not yet waited for, counts as gone.
    """
    fields = _stat(pid)
    return "" if not fields or fields[0] in {"Z", "X"} else fields[19]


def is_gone(pid: int, started_at: str) -> bool:
    """
    Whether the process that began at that moment no longer lives.

    What cannot be seen is not gone: /proc may hide other users' processes (hidepid).
    """
    seen = process_started_at(pid)
    if seen or _stat(pid):
        # A zombie is there to be seen, whoever may send it signals, and has no start any more.
        return seen != started_at
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal (SIGSTOP, SIGTSTP) and not continued; False if it cannot be seen."""
    return _stat(pid)[:1] == ["T"]


def _stat(pid: int) -> list[str]:
    """Return the fields behind the name of the program, which may itself contain blanks and brackets."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def facts() -> dict[str, object]:
    """Return the columns of a Worker row that identify this process."""
    pid = os.getpid()
    return {**host(), "pid": pid, "process_started_at": process_started_at(pid)}
