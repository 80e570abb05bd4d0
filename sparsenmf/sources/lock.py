"""One writer at a time: a file that says who writes."""

import contextlib
import os
import re
import socket
import time

GRACE = 1.0  # seconds until a lock that does not say whose it is counts as left over

OWNER = re.compile(r"(\d+) (.+)")

_held: set[str] = set()  # by this process


@contextlib.contextmanager
def hold_lock(path):
    """Hold a lock file while the block runs; take over one of a dead process.

    Raises
    ------
    BlockingIOError
        If another writer holds it, or one that may be alive on another machine.
    """
    _acquire(path)
    _held.add(str(path))
    try:
        yield
    finally:
        _held.discard(str(path))
        path.unlink()


def _acquire(path):
    mine = f"{os.getpid()} {socket.gethostname()}"
    while not (_create(path, mine) or _take_over(path, mine)):
        pass


def _create(path, mine):
    """Make the lock, or return False if there is one."""
    try:
        with open(path, "x") as file:
            file.write(mine)
    except FileExistsError:
        return False
    return True


def _take_over(path, mine):
    """Write ourselves into the lock of a dead process.

    Returns False if there is no telling yet; raises BlockingIOError if its owner is alive.
    """
    try:
        with open(path, "r+") as file:
            if os.name == "posix":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)  # of several that find it, one comes first
            owner = file.read()
            age = time.time() - path.stat().st_mtime
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return False  # it was released, and is another one's by now
            known = OWNER.fullmatch(owner)
            if not known and age < GRACE:
                time.sleep(GRACE / 20)  # made, but not written yet
                return False
            if known and _lives(int(known[1]), known[2], path):
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


def _lives(pid, host, path):
    if host != socket.gethostname() or os.name != "posix":
        return True  # no telling
    if pid == os.getpid():  # or an earlier process of the same number
        return str(path) in _held
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is someone else's
        return True
    return True
