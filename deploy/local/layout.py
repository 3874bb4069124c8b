"""Where the embedded stack keeps things under its data directory, and who may read them."""

from __future__ import annotations

import os
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# A Unix socket's path fits 104 bytes on macOS and 108 on Linux, its end mark included, and
# supervisord first binds "<path>.<pid>".
_SOCKET_PATH_BYTES: Final = 104 - 1 - len(".4194304")


@dataclass(frozen=True)
class Layout:
    """The paths under one data directory. `prepare` makes the folders."""

    root: Path

    @property
    def nats_data(self) -> Path:
        """JetStream's files."""
        return self.root / "data" / "nats"

    @property
    def store_data(self) -> Path:
        """The store's WiredTiger files."""
        return self.root / "data" / "store"

    @property
    def secrets(self) -> Path:
        """Keys and passwords, one file each."""
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        """One log per program."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What matters only while the stack runs, and the mark of an unfinished sample market."""
        return self.root / "run"

    @property
    def lock(self) -> Path:
        """Held by the launcher for as long as it lives."""
        return self.root / "run" / "lock"

    @property
    def sample_mark(self) -> Path:
        """There from the start of loading the sample market until its round is cleared."""
        return self.root / "data" / "sample-unfinished"

    def log(self, program: str) -> Path:
        """The log file of one program."""
        return self.logs / f"{program}.log"

    def prepare(self) -> None:
        """Make the folders, each for its owner only."""
        for folder in (self.root, self.nats_data.parent, self.nats_data, self.store_data):
            _private_folder(folder)
        for folder in (self.secrets, self.logs, self.run):
            _private_folder(folder)

    def stack_id(self) -> str:
        """A random name of this data directory, by which its processes are told from others."""
        file = self.run / "stack-id"
        if file.exists() and (known := file.read_text().strip()):
            return known
        fresh = uuid.uuid4().hex
        write_private(file, fresh.encode())
        return fresh

    def socket(self) -> Path:
        """The control socket's path: under `run`, or in a private temporary folder if too long."""
        near = self.run / "supervisor.sock"
        if len(os.fsencode(near)) <= _SOCKET_PATH_BYTES:
            return near
        folder = Path(tempfile.gettempdir()) / f"spareline-{os.getuid()}-{self.stack_id()[:12]}"
        _private_folder(folder)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            # Somebody else made it first: a temporary folder is everybody's.
            raise PermissionError(f"{folder} does not belong to this user")
        return folder / "supervisor.sock"


def layout_of(var: Path) -> Layout:
    """The layout of a data directory given as the user wrote it."""
    return Layout(var.expanduser().resolve())


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid == os.getuid():
        folder.chmod(0o700)
