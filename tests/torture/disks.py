"""Small file systems, in memory, that are full when we say so."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

# Takes the file system away when its owner is gone, whatever killed it. A line through the pipe says that the owner
# has done so itself.
WATCHDOG = """
read -r _ && exit
umount -l "$1"
rmdir "$1" "${1%/*}" 2>/dev/null
"""
TRIES = 50


class SmallDisk:
    """A file system of a size that can be set while it is in use."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size

    def fill(self) -> None:
        """Leave no byte free, by taking away what is; tried again where somebody wrote meanwhile."""
        for _ in range(TRIES):
            system = os.statvfs(self.path)
            used = (system.f_blocks - system.f_bfree) * system.f_frsize
            if self._resize(used) and not os.statvfs(self.path).f_bfree:
                return
        raise RuntimeError(f"{self.path} cannot be filled")

    def free(self) -> None:
        """Give back what was taken."""
        if not self._resize(self._size):
            raise RuntimeError(f"{self.path} cannot be given its size again")

    def _resize(self, size: int) -> bool:
        return _mount("-o", f"remount,size={size}", str(self.path))


@contextmanager
def small_disk(path: Path, *, size: int, owner: pwd.struct_passwd | None = None) -> Generator[SmallDisk | None]:
    """Make one at an empty folder, for another account where one is named; None if this machine does not allow it."""
    if os.geteuid() != 0 or not _mount("-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path)):
        yield None
        return
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    with subprocess.Popen(
        ["sh", "-c", WATCHDOG, "watchdog", path], stdin=subprocess.PIPE, start_new_session=True
    ) as watchdog:
        try:
            yield SmallDisk(path, size)
        finally:
            subprocess.run(["umount", "-l", path], check=True)
            watchdog.communicate(b"unmounted\n")


@cache
def can_mount() -> bool:
    """Whether this machine allows it."""
    with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder), size=1 << 16) as disk:
        return disk is not None


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
