"""`open_csr`: the way from a folder to a `CsrStore`."""

from __future__ import annotations

from ..typing import PathLike
from .layout import RECORD, absolute, read_record
from .leftovers import is_ours
from .reader import CsrStore


def open_csr(folder: PathLike, *, verify: bool = False) -> CsrStore:
    """Open a sparse matrix that `write_csr` wrote, without reading it.

    `factorize` takes the store, with any start, for the Frobenius and the Kullback-Leibler loss.
    Coordinate descent for the latter needs a store that has both sides (see `write_csr`).

    Parameters
    ----------
    folder : str or path-like
    verify : bool, default False
        Whether to read all files once and compare their checksums. Their sizes, dtypes and
        lengths are compared in any case.

    Returns
    -------
    CsrStore

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If it is not a store, is an unfinished store or is damaged; the message names the file.

    Notes
    -----
    The files are mapped into memory and must not be changed while the store is in use. Each time
    before rows are used, their files are compared with what was opened; one that was written to,
    cut or replaced is a ValueError that names it. A file that is cut while its rows are being
    used ends the process with a bus error (SIGBUS), as for any mapped file. `write_csr` never
    changes an existing file, and a process that has mapped a file can read it after its removal.

    Examples
    --------
    >>> import tempfile
    >>> import scipy.sparse as sp
    >>> from sparsenmf import open_csr, write_csr
    >>> folder = tempfile.mkdtemp()
    >>> blocks = (sp.eye_array(4, 9, k=k, format="csr", dtype="f4") for k in range(5))
    >>> _ = write_csr(folder, blocks)
    >>> store = open_csr(folder)
    >>> store.shape, store.nnz, store.blocks(8)
    ((20, 9), 20, [(0, 7), (7, 14), (14, 20)])
    >>> store.rows(7, 14).shape
    (7, 9)
    """
    folder = absolute(folder)
    names = [path.name for path in folder.iterdir()]
    if RECORD not in names:
        if any(map(is_ours, names)):
            raise ValueError(
                f"{folder} is an unfinished store: its writer was killed before it wrote "
                f"{RECORD}, or is still at work; write it again"
            )
        raise ValueError(f"{folder} is not a store: it has no {RECORD}")
    store = CsrStore(folder, read_record(folder))
    if verify:
        store.verify()
    return store
