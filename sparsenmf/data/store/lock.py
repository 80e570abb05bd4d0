"""One writer at a time: a file that says who writes."""

import contextlib
import os
import re
import socket
import stat
import time

GRACE = 1.0  # seconds until a lock that does not say whose it is counts as left over

PATIENCE = 5.0  # seconds to wait for one who reads or writes the lock, which takes no time

OWNER = re.compile(rb"([0-9]{1,10}) (.+)")

LONGEST = 1000  # bytes of a lock that are looked at

HIGHEST = 2**31 - 1  # number of a process

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
        mine = os.fsencode(f"{os.getpid()} {socket.gethostname()}")
        patient_until = time.monotonic() + GRACE  # the file's own time may lie in the future
        while not (_create(path, mine) or _take_over(path, mine, patient_until)):
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
        # Not in a `with`: what it holds could raise FileExistsError, too.
        file = open(path, "x+b")  # noqa: SIM115 - the `with` below closes it
    except FileExistsError:
        return False
    with file:
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


def _take_over(path, mine, patient_until):
    """Write ourselves into the lock of a dead process.

    Returns False if there is no telling yet; raises BlockingIOError if its owner is alive.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # a pipe would be waited for
            raise FileExistsError(f"{path} should be a lock file, but is something else: remove it")
        with open(path, "r+b", opener=_open_itself) as file:
            _wait_for(file)
            pid, host = _owner(file)
            age = time.time() - os.fstat(file.fileno()).st_mtime
            if pid is None and age < GRACE and time.monotonic() < patient_until:
                time.sleep(GRACE / 20)  # made, but not written yet
                return False
            alive = pid is not None and _lives(pid, host)
            if not _is_still(file, path):
                return False  # released, maybe while we asked: it may be another one's by now
            if alive:
                raise BlockingIOError(
                    f"{path.parent} is being written to by process {pid} on {host}: "
                    f"wait for it, or delete {path} if there is no such process"
                )
            file.seek(0)
            file.write(mine)
            file.truncate()
            return True
    except FileNotFoundError:  # released in the meantime
        return False


def _owner(file):
    """Return the process and the machine that a lock names, or None twice."""
    known = OWNER.fullmatch(file.read(LONGEST).strip())
    if known and 0 < int(known[1]) <= HIGHEST:
        return int(known[1]), os.fsdecode(known[2])
    return None, None


def _wait_for(file):
    """Be the only one who reads and writes the lock until the file is closed."""
    if os.name == "posix":
        import fcntl

        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise BlockingIOError(
                        f"{file.name} is held by another process: wait for it to end"
                    ) from None
            time.sleep(GRACE / 1000)


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
