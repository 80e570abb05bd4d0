"""One writer at a time: a file that is locked while a writer is at work, and that names it.

The system releases such a lock when its process ends, however it ends. The name is for the error
message, and for folders that machines share without sharing their locks. Where the system or the
disk has no locks, the one who makes the file holds it, and a killed writer's has to be deleted.
"""

import contextlib
import errno
import functools
import os
import re
import socket
import stat
import sys

OWNER = re.compile(rb"([0-9]{1,10}) (.+)")  # the number of a process, and its machine

LONGEST = 1000  # bytes of a lock file that are read

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""Numbers of the errors of systems and disks without locks."""

if sys.platform == "win32":
    import msvcrt

    def _lock(file):
        file.seek(2**30)  # behind all content: others cannot read bytes that are locked
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:

    def _lock(file):
        try:
            import fcntl
        except ImportError as error:  # in WebAssembly, say
            raise OSError(errno.ENOSYS, "the system has no locks") from error
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def hold_lock(path):
    """Hold a lock file while the block runs; take over one that a dead process has left.

    Raises
    ------
    BlockingIOError
        If another writer holds it, or may hold it on another machine.
    """
    while True:
        made: list[bool] = []
        opener = functools.partial(_open_or_make, made)
        with open(path, "r+b", buffering=0, opener=opener) as file:
            if not _acquire(file, path, made[0]):
                continue  # its last owner removed the file after we had opened it
            try:
                file.seek(0)
                file.truncate()
                file.write(os.fsencode(f"{os.getpid()} {socket.gethostname()}"))
                yield
            finally:
                if sys.platform == "win32":
                    file.close()  # an open file cannot be removed there
                    with contextlib.suppress(PermissionError):  # another writer has opened it
                        path.unlink()
                elif _is_at(path, file):
                    path.unlink()
            return


def _open_or_make(made, path, flags):
    """Open a file, but neither a pipe, which would be waited for, nor what a link leads to.

    Append to `made` whether it is a new one.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise FileExistsError(f"{path} should be a lock file, but is something else: remove it")
    flags |= os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        number = os.open(path, flags | os.O_EXCL, 0o666)
        made.append(True)
    except FileExistsError:
        number = os.open(path, flags, 0o666)
        made.append(False)
    return number


def _acquire(file, path, is_new):
    """Lock an open file; return False if it is no longer the one at the path."""
    try:
        _lock(file)
        is_free = True
    except (BlockingIOError, PermissionError):  # the latter on Windows
        is_free = False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        is_free = is_new
    file.seek(0)
    owner = OWNER.fullmatch(file.read(LONGEST).strip())
    pid, host = (int(owner[1]), os.fsdecode(owner[2])) if owner else (None, None)
    here = socket.gethostname()
    if not _is_at(path, file):
        return False
    if is_free and host in (None, here):
        return True
    if (pid, host) == (os.getpid(), here):
        raise BlockingIOError(f"{path.parent} is being written to by another thread: wait for it")
    if owner is None:
        raise BlockingIOError(
            f"{path} is held by another process: wait for it to end, or delete it if there is none"
        )
    raise BlockingIOError(
        f"{path.parent} is being written to by process {pid} on {host}: "
        f"wait for it, or delete {path} if there is no such process"
    )


def _is_at(path, file):
    """Return whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
