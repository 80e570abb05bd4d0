"""A disk cache for compiled kernels that can fail only by compiling again.

numba's own cache can make an import or a call raise (read-only or full disk,
truncated file), keeps its index in a file that two processes may overwrite, and
does not notice edits in the other files a kernel is made of. With a locator of our own it noticed
those, but truncated files still raised, and one changed byte ended the process (numba 0.68). Here
each compiled signature is one file, written to a temporary name and renamed. Its name is a hash
of everything the code depends on (what the kernel is made of, see `fingerprint`; versions,
processor, signature). Its first bytes are a digest of the rest. Whatever is wrong with a file,
the kernel is compiled instead. Other processes may use files of older versions. When the folder
has grown beyond `MAX_BYTES`, the files that were used longest ago are removed.

Environment
-----------
SPARSENMF_CACHE : "0" switches the cache off.
SPARSENMF_CACHE_DIR : folder to use instead of the user's cache folder. If it cannot be used, a
    warning says so once, and nothing is stored.
"""

import contextlib
import functools
import hashlib
import logging
import os
import pickle
import sys
import tempfile
import time
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from .fingerprint import UnknownError, fingerprint
from .settings import FOLDER, cache_is_off, warn_once

DIGEST_SIZE = 32

MAX_BYTES = 2**28  # of all kernels: about twenty times those of one version on one machine

NO_CODE = (
    "NUMBA_NUM_THREADS",
    "NUMBA_CACHE_DIR",
    "NUMBA_THREADING_LAYER",
    "NUMBA_THREADING_LAYER_PRIORITY",
    "NUMBA_DISABLE_JIT",
)
"""Settings of numba that do not change the code: the layer is linked when it is launched."""

DAY = 86_400.0  # seconds, the resolution of the time at which a file was used

log = logging.getLogger(__name__)
"""Logs at level DEBUG why a stored kernel was not used."""


def attach_cache(dispatcher, name):
    """Let a numba dispatcher load and store its compilations on disk.

    Uses numba's private cache protocol; where a version of numba lacks it, the
    kernel simply is not cached.
    """
    if _switched_off() or not hasattr(dispatcher, "_cache"):
        return
    with contextlib.suppress(AttributeError, TypeError):
        dispatcher._cache = KernelCache(dispatcher, name)


class KernelCache(NullCache):
    """numba's cache protocol (load_overload, save_overload) on plain files.

    The constructor of numba's own implementation looks for a folder that it can write to, and
    raises an error if there is none.
    """

    def __init__(self, dispatcher, name):
        self.dispatcher, self.name = dispatcher, name

    @property
    def cache_path(self):
        return str(cache_folder() or "")

    def load_overload(self, sig, target_context):
        """Return the stored compilation of `sig`, or None."""
        folder = cache_folder()
        if folder is None:
            return None
        # numba's registries must be loaded before stored code can be linked.
        target_context.refresh()
        try:
            path, key = self._place(folder, sig, target_context)
            stored = read_own(path)
            digest, payload = stored[:DIGEST_SIZE], stored[DIGEST_SIZE:]
            if hashlib.sha256(key + payload).digest() != digest:
                return None
            loaded = CompileResult._rebuild(target_context, *pickle.loads(payload))
            _note_use(path)
            return loaded
        except FileNotFoundError:
            return None
        except Exception:  # whatever is wrong with the file, the kernel can be compiled
            log.debug("%s: stored kernel not usable", self.name, exc_info=True)
            return None

    def save_overload(self, sig, data):
        """Store a compilation; ignore failures."""
        folder = cache_folder()
        if folder is None:
            return
        temporary = None
        try:
            if data.lifted or data.library.has_dynamic_globals:  # holds addresses
                return
            payload = dumps(data._reduce())
            path, key = self._place(folder, sig, data.target_context)
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(key + payload).digest() + payload)
            os.replace(temporary, path)
            temporary = None
            prune(folder)
        except Exception as error:  # full or read-only disk, unpicklable code: it works uncached
            log.debug("%s: kernel not stored", self.name, exc_info=True)
            if isinstance(error, OSError):
                _warn_of_folder(f"cannot be written to ({error.strerror})")
        finally:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)

    def _place(self, folder, sig, target_context):
        """Return the file of a signature, and the key that its digest must include."""
        magic = target_context.codegen().magic_tuple()
        made_of = identify(self.dispatcher, getattr(sig, "args", sig))
        key = repr((self.name, str(sig), str(magic), made_of, ENVIRONMENT)).encode()
        return folder / f"{self.name}-{hashlib.sha256(key).hexdigest()[:24]}.kernel", key


def _note_use(path):
    """Set the time of a file to today."""
    with contextlib.suppress(OSError):  # a cache that cannot be written to
        if time.time() - path.stat().st_mtime > DAY:
            os.utime(path)


def prune(folder):
    """Remove kernels until `MAX_BYTES` are left, and what killed writers left behind.

    A process that wants one of them compiles it.
    """
    found = []
    for path in [*folder.glob("*.kernel"), *folder.glob(".writing-*")]:
        with contextlib.suppress(OSError):  # another process removed it
            status = path.stat()
            unfinished = path.suffix != ".kernel"
            if unfinished and time.time() - status.st_mtime > DAY:
                path.unlink()
            elif not unfinished:
                found.append((status.st_mtime, status.st_size, path))
    excess = sum(size for _, size, _ in found) - MAX_BYTES
    for _, size, path in sorted(found):
        if excess <= 0:
            break
        excess -= size
        with contextlib.suppress(OSError):
            path.unlink()


def identify(dispatcher, signature):
    """Return a hash of what a kernel is made of, or of all sources if that is unknown."""
    try:
        return fingerprint(dispatcher, signature)
    except UnknownError:
        log.debug("%s: all sources are hashed", dispatcher.py_func.__name__, exc_info=True)
    own = dispatcher.py_func.__code__.co_filename  # of a kernel that is not of the package
    digest, paths = hashlib.sha256(), {Path(own), *PACKAGE.rglob("*.py")}
    for path in sorted(paths):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def describe_environment():
    """Return what else the machine code depends on: versions, and settings of numba."""
    versions = (numba.__version__, llvmlite.__version__, np.__version__, sys.version)
    # Settings are not part of a signature.
    settings = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith("NUMBA_") and name not in NO_CODE
    )
    return versions, settings


ENVIRONMENT = describe_environment()
"""The environment at the time when numba has just read its settings."""

PACKAGE = Path(__file__).parents[2]


def _switched_off():
    # In a zip file there are no sources to fall back on.
    return cache_is_off() or not PACKAGE.is_dir()


def active_folder():
    """Return the folder in which compiled kernels are kept, or None if they are not."""
    return None if _switched_off() else cache_folder()


@functools.cache
def cache_folder():
    """Return the first usable cache folder, or None.

    The stored files are unpickled, which can run code, so a folder that others
    could write to is refused.
    """
    folder = next(filter(_make_private, _candidates()), None)
    if folder is None and os.environ.get(FOLDER):
        _warn_of_folder("is no folder that only we can write to, and cannot become one")
    return folder


def _warn_of_folder(fault):
    """Warn that kernels are not stored, once, if a user has chosen the folder."""
    if chosen := os.environ.get(FOLDER):
        warn_once(
            f"{FOLDER} is {chosen!r}, which {fault}: compiled kernels are not stored, and every "
            f"process compiles them again"
        )


def _candidates():
    chosen = os.environ.get(FOLDER)
    if chosen:
        with contextlib.suppress(RuntimeError):  # "~name" of nobody
            yield Path(os.path.abspath(Path(chosen).expanduser()))
        return
    if sys.platform == "win32":
        bases = (os.environ.get("LOCALAPPDATA", "~"),)
    elif sys.platform == "darwin":
        bases = ("~/Library/Caches",)
    else:
        bases = (os.environ.get("XDG_CACHE_HOME", ""), "~/.cache")
    for base in bases:
        with contextlib.suppress(RuntimeError):  # no home directory
            path = Path(base).expanduser()
            if path.is_absolute():  # else it would be another one in each working directory
                yield path / "sparsenmf"
                break
    user = os.getuid() if hasattr(os, "getuid") else "user"
    with contextlib.suppress(OSError):  # nowhere to write at all
        yield Path(tempfile.gettempdir()) / f"sparsenmf-{user}"


def read_own(path):
    """Return a file's bytes; raise if another user could have written them.

    The folder has been checked, but may have been replaced since where others can write to its
    parent; and a link in it may lead anywhere.
    """
    itself = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, os.O_RDONLY | itself), "rb") as file:
        if not _is_private(os.fstat(file.fileno())):
            raise PermissionError(f"{path} is not ours alone")
        return file.read()


def _make_private(folder):
    """Make the folder; return whether it exists now and only its owner can write to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
    except OSError:
        return False
    return _is_private(status)


def _is_private(status):
    """Return whether only we can write to a file or folder, as far as the system tells."""
    return not hasattr(os, "getuid") or (
        status.st_uid == os.getuid() and not status.st_mode & 0o022
    )
