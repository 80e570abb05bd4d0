"""What is there after ``import sparsenmf``: the public names, and nothing else."""

import pickle
import pydoc
import subprocess
import sys
import types

import pytest

import sparsenmf

MODULES = {"distributed", "files", "plots", "typing"}


def run(code):
    """Run code in a process that has imported nothing yet."""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_public_names_are_all_there():
    for name in sparsenmf.__all__:
        assert getattr(sparsenmf, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sparsenmf.nothing  # noqa: B018 - the access is what is tested


def test_dir_shows_public_names_only():
    import sparsenmf.solvers.weights

    pytest.importorskip("sklearn")
    pytest.importorskip("dask")
    assert set(dir(sparsenmf)) == {*sparsenmf.__all__, *MODULES, "__version__"}


def test_subpackages_are_loaded_when_they_are_used():
    run(
        "import sys, sparsenmf\n"
        "assert not [name for name in sys.modules if name.startswith('sparsenmf.')]\n"
        "assert sparsenmf.plots.plot_topic_map.__doc__\n"
        "assert sparsenmf.files.write_table.__doc__\n"
        "loaded = {'matplotlib', 'dask'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )


def test_distributed_is_loaded_when_it_is_used():
    pytest.importorskip("dask")
    pytest.importorskip("distributed")
    run("import sparsenmf; assert sparsenmf.distributed.factorize.__doc__")


def test_star_gives_the_public_names():
    pytest.importorskip("sklearn")
    names = {}
    exec("from sparsenmf import *", names)
    assert set(names) - {"__builtins__"} == set(sparsenmf.__all__)
    assert not any(isinstance(value, types.ModuleType) for value in names.values())


def test_functions_can_be_pickled():
    for name in ("factorize", "find_topics", "Factorization"):
        assert pickle.loads(pickle.dumps(getattr(sparsenmf, name))) is getattr(sparsenmf, name)


def test_help_shows_the_public_names():
    shown = pydoc.render_doc(sparsenmf, renderer=pydoc.plaintext)
    assert "factorize(X: 'Matrix', n_components: 'int', *, loss: 'Loss' = 'frobenius'" in shown


def test_without_optional_packages_names_explain_themselves_and_help_works():
    run(
        "import pydoc, sys\n"
        "sys.modules['sklearn'] = sys.modules['dask'] = None\n"
        "import sparsenmf\n"
        "said = []\n"
        "for name in ('NMF', 'MiniBatchNMF', 'distributed'):\n"
        "    assert name not in dir(sparsenmf)\n"
        "    try:\n"
        "        getattr(sparsenmf, name)\n"
        "    except ImportError as error:\n"
        "        said.append(str(error))\n"
        "assert said[0] == said[1], said\n"
        "assert 'sparsenmf[sklearn]' in said[0], said\n"
        "assert 'sparsenmf[dask]' in said[2], said\n"
        "assert 'find_topics' in pydoc.render_doc(sparsenmf)"
    )
