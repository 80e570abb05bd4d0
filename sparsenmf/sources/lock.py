"""One writer at a time: a file that says who writes."""

import contextlib
import os
import re
import socket
import time

GRACE = 1.0  # seconds until a lock that does not say whose it is counts as left over

OWNER = re.compile(r"(\d+) (.+)")

_held: dict[tuple, object] = {}  # by this process: a child does not inherit what its parent has


@contextlib.contextmanager
def hold_lock(path):
    """Hold a lock file while the block runs; take over one of a dead process.

    Raises
    ------
    BlockingIOError
        If another writer holds it, or one that may be alive on another machine.
    """
    key, token = (os.getpid(), str(path)), object()
    if _held.setdefault(key, token) is not token:
        raise BlockingIOError(f"{path.parent} is being written to by another thread: wait for it")
    try:
        mine = f"{os.getpid()} {socket.gethostname()}"
        while not (_create(path, mine) or _take_over(path, mine)):
            pass
        try:
            yield
        finally:
            path.unlink()
    finally:
        del _held[key]


def _create(path, mine):
    """Make the lock, or return False if there is one."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(handle, "r+") as file:
        _wait_for(file)
        if file.read() or not _is_still(file, path):
            return False  # we were stopped for so long that another one took it for left over
        try:
            file.write(mine)
            file.flush()
        except BaseException:  # a lock without a name in it would be nobody's
            path.unlink()
            raise
    return True


def _take_over(path, mine):
    """Write ourselves into the lock of a dead process.

    Returns False if there is no telling yet; raises BlockingIOError if its owner is alive.
    """
    try:
        with open(path, "r+", opener=_open_itself) as file:
            _wait_for(file)
            owner = file.read()
            age = time.time() - os.fstat(file.fileno()).st_mtime
            known = OWNER.fullmatch(owner)
            if not known and age < GRACE:
                time.sleep(GRACE / 20)  # made, but not written yet
                return False
            alive = known is not None and _lives(int(known[1]), known[2])
            if not _is_still(file, path):
                return False  # released, maybe while we asked: it may be another one's by now
            if known and alive:
                raise BlockingIOError(
                    f"{path.parent} is being written to by process {known[1]} on {known[2]}: "
                    f"wait for it, or delete {path} if there is no such process"
                )
            file.seek(0)
            file.write(mine)
            file.truncate()
            return True
    except FileNotFoundError:  # released in the meantime
        return False


def _wait_for(file):
    """Be the only one who reads and writes the lock until the file is closed."""
    if os.name == "posix":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _is_still(file, path):
    """Tell whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _open_itself(path, flags):
    """Open a file, but not what a link leads to."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _lives(pid, host):
    if host != socket.gethostname() or os.name != "posix":
        return True  # no telling
    if pid == os.getpid():  # an earlier process of the same number: our own are in _held
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is someone else's
        return True
    return True
