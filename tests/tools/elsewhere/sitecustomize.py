"""Makes the package believe that it runs on Windows, in this and in all child processes.

Python imports this module at its start if its folder is in PYTHONPATH. The package, and nothing
else, then sees modules without what Windows lacks, finds nothing in /proc and /sys, and may
neither remove nor replace a file that this process has open or mapped into memory, nor use names
that Windows does not take. What other packages do stays as it is.
"""

import builtins
import contextlib
import os
import sys
import types
import warnings

OF_WINDOWS = (
    "abc abort access altsep chdir chmod close closerange cpu_count curdir defpath devnull "
    "dup environ environb extsep fdopen fsdecode fsencode fspath fstat fsync ftruncate "
    "get_exec_path get_terminal_size getcwd getenv getlogin getpid getppid isatty kill "
    "linesep link listdir lseek lstat makedirs mkdir name open path pathsep pipe popen "
    "putenv read readlink remove removedirs rename renames replace rmdir scandir sep "
    "startfile stat strerror symlink system times truncate umask unlink urandom utime "
    "waitpid walk write DirEntry PathLike error stat_result SEEK_CUR SEEK_END SEEK_SET "
    "O_APPEND O_CREAT O_EXCL O_RDONLY O_RDWR O_TRUNC O_WRONLY F_OK R_OK W_OK X_OK"
)

SIGNALS = "signal getsignal raise_signal default_int_handler SIGINT SIGTERM SIG_IGN SIG_DFL"

MISSING = {"fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios", "tty", "pty"}

RESERVED = set('<>:"|?*')

plain_import = builtins.__import__


class Reduced(types.ModuleType):
    """A module without some of its names, and with others."""

    def __init__(self, module, kept=None, **others):
        super().__init__(module.__name__)
        self.__dict__.update(_module=module, _kept=kept, **others)

    def __getattr__(self, name):
        if self._kept is not None and name not in self._kept:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on Windows")
        return getattr(self._module, name)

    def __setattr__(self, name, value):
        setattr(self._module, name, value)


def reduce(name, module):
    """Return what the package gets when it imports a module."""
    if name == "os":
        return Reduced(module, OF_WINDOWS.split(), name="nt", O_BINARY=0)
    if name == "sys":
        return Reduced(module, platform="win32")
    if name == "signal":
        return Reduced(module, SIGNALS.split())
    if name == "mmap":
        return Reduced(module, ["mmap", "ACCESS_READ", "ACCESS_WRITE", "ACCESS_COPY", "PAGESIZE"])
    return module


reduced = {}


def import_as_on_windows(name, globals=None, locals=None, fromlist=(), level=0):
    if level or not str((globals or {}).get("__name__", "")).startswith("sparsenmf"):
        return plain_import(name, globals, locals, fromlist, level)
    if name in MISSING:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    if name == "msvcrt":
        return msvcrt
    found = plain_import(name, globals, locals, fromlist, level)
    return reduced.setdefault(found.__name__, reduce(found.__name__, found))


def lock(number, mode, n_bytes):
    """Lock as msvcrt does, where a lock of another is a PermissionError."""
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PermissionError(13, "Permission denied") from None


msvcrt = types.SimpleNamespace(locking=lock, LK_NBLCK=2)


def from_package(depth=6):
    """Return whether the package, or pathlib and the like for it, is at work."""
    frame = sys._getframe(1)
    while frame is not None and depth:
        if frame.f_code.co_name == "TemporaryFile":  # does it in another way on Windows
            return False
        if str(frame.f_globals.get("__name__", "")).startswith("sparsenmf"):
            return True
        frame, depth = frame.f_back, depth - 1
    return False


looking = False


def held():
    """Return the files that this process has open or mapped."""
    global looking
    looking = True
    try:
        paths = set()
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):  # the one of the list itself is closed
                paths.add(os.readlink(f"/proc/self/fd/{number}"))
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            paths |= {line.split(maxsplit=5)[-1].rstrip("\n") for line in file}
        return paths
    finally:
        looking = False


def refuse(event, args):
    """Raise what Windows raises."""
    if looking or event not in ("open", "os.remove", "os.rename", "os.mkdir", "os.rmdir"):
        return
    paths = [os.fsdecode(x) for x in args[:2] if isinstance(x, str | bytes | os.PathLike)]
    if event == "open":
        del paths[1:]  # the mode
    if not paths or not from_package():
        return
    if event == "open" and paths[0].startswith(("/proc/", "/sys/")):
        raise FileNotFoundError(2, "No such file or directory", paths[0])
    for path in paths:
        name = os.path.basename(path)
        if RESERVED & set(name) or name != name.rstrip(" ."):
            raise OSError(22, "Invalid argument", path)
    if event == "open" and os.path.isdir(paths[0]):
        raise PermissionError(13, "Permission denied", paths[0])
    if event in ("os.remove", "os.rename"):
        busy = held()
        for path in paths:
            if os.path.realpath(path) in busy:
                raise PermissionError(13, "It is being used by another process", path)


# Only Linux tells which files are open and mapped.
if __name__ == "sitecustomize" and os.path.isdir("/proc/self/fd"):
    import shutil

    shutil._use_fd_functions = False
    # With PYTHONWARNDEFAULTENCODING=1: a text file that is opened in the encoding of the system.
    warnings.simplefilter("ignore", EncodingWarning)
    warnings.filterwarnings("error", category=EncodingWarning, module="sparsenmf")
    builtins.__import__ = import_as_on_windows
    sys.addaudithook(refuse)
