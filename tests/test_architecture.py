"""The house plan, checked from the source: who imports whom, and that it is documented."""

import ast
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sparsenmf
from sparsenmf import plots
from sparsenmf.data.files import write_factor, write_table
from sparsenmf.topics.finding import Topics

PACKAGE = Path(sparsenmf.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

FIRST_FLOOR = ("__init__.py", "__main__.py")

ROOMS = ["data", "kernels", "solvers", "models", "topics", "selection", "distributed", "cli"]
"""The rooms from the ground up: a module imports from its own room and from those before it."""

NAMED = {str(path.relative_to(PACKAGE)): path for path in MODULES}


def module_of(path):
    """The parts of a module's name below the package: a package's are those of its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imported_modules(path):
    """The parts of the names that a module imports of the package, wherever in it."""
    folder = path.parent.relative_to(PACKAGE).parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = folder[: len(folder) - node.level + 1]
            parts += tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                whole = PACKAGE.joinpath(*parts, alias.name)
                is_module = whole.with_suffix(".py").exists() or (whole / "__init__.py").exists()
                yield (*parts, alias.name) if is_module else parts
        else:
            names = [getattr(node, "module", None)] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name and name.startswith("sparsenmf")], path


def test_the_first_floor_has_rooms_and_nothing_else():
    found = {path.relative_to(PACKAGE).parts[0] for path in MODULES} | {"py.typed"}
    assert found == {"__init__.py", "__main__.py", "py.typed", *ROOMS}


@pytest.mark.parametrize("name", [name for name in NAMED if name not in FIRST_FLOOR])
def test_imports_point_downwards(name):
    room = ROOMS.index(module_of(NAMED[name])[0])
    for parts in imported_modules(NAMED[name]):
        assert not parts or ROOMS.index(parts[0]) <= room, f"{name} imports {parts} from above"


def test_no_module_imports_itself_by_a_way_round():
    imports = {module_of(path): set(imported_modules(path)) for path in MODULES if module_of(path)}
    waiting = dict(imports)
    while waiting:  # what imports nothing that waits can be loaded
        loaded = [module for module, others in waiting.items() if not others & waiting.keys()]
        assert loaded, f"a circle among {sorted(waiting)}"
        for module in loaded:
            del waiting[module]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_short(path):
    assert len(path.read_text().splitlines()) <= 350


def functions_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


def decorators(node):
    return {ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list}


def test_every_compiled_function_is_documented_and_short():
    found = 0
    for path in (PACKAGE / "kernels").rglob("*.py"):
        for node in functions_of(path):
            if decorators(node) & {"kernel", "inner", "vector_code"}:
                found += 1
                assert ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"
                body = node.end_lineno - node.body[1].lineno + 1
                assert body <= 40, f"{path.name}: {node.name} has {body} lines"
    assert found >= 15


def sections_of(text):
    """Sections of a numpydoc docstring, by their titles."""
    parts = re.split(r"^(\w[\w ]*)\n-+\n", inspect.cleandoc(text), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented_groups(text):
    """The documented parameters, by the heading above them; "" has those without one."""
    sections, groups, heading = sections_of(text), {"": []}, ""
    for line in (sections["Parameters"] + sections.get("Other Parameters", "")).splitlines():
        if line.endswith(":") and not line[0].isspace():
            heading = line
            groups[heading] = []
        elif " : " in line and not line[0].isspace():
            names = line.split(" : ")[0].split(",")
            groups[heading] += [name.strip(" *") for name in names]
    return groups


def documented_parameters(text):
    return [name for names in documented_groups(text).values() for name in names]


PUBLIC = [
    sparsenmf.Checkpoint,
    sparsenmf.CoordinateDescent,
    sparsenmf.MultiplicativeUpdate,
    sparsenmf.Problem,
    sparsenmf.RandomStarts,
    sparsenmf.Seeds,
    sparsenmf.Weights,
    sparsenmf.factorize,
    sparsenmf.initialize,
    sparsenmf.NMF,
    sparsenmf.MiniBatchNMF,
    sparsenmf.estimate_memory,
    sparsenmf.Factorization.transform,
    sparsenmf.Factorization.top_terms,
    sparsenmf.Factorization.to_frame,
    sparsenmf.Factorization.to_anndata,
    sparsenmf.Factorization.report,
    sparsenmf.Factorization.save,
    sparsenmf.Factorization.normalize,
    sparsenmf.Factorization.loss,
    sparsenmf.find_topics,
    Topics.report,
    Topics.share_table,
    Topics.transform,
    sparsenmf.consensus,
    sparsenmf.forecast_selection,
    sparsenmf.select_n_components,
    sparsenmf.label_agreement,
    sparsenmf.non_negative_factorization,
    sparsenmf.quality_table,
    sparsenmf.show_topics,
    sparsenmf.to_pyldavis,
    sparsenmf.topic_coherence,
    sparsenmf.topic_diversity,
    sparsenmf.topic_exclusivity,
    sparsenmf.topic_hierarchy,
    sparsenmf.topic_labels,
    sparsenmf.topic_layout,
    sparsenmf.topic_similarity,
    sparsenmf.topic_sizes,
    sparsenmf.topics_over,
    sparsenmf.topic_table,
    sparsenmf.term_table,
    sparsenmf.document_table,
    sparsenmf.read_matrix,
    sparsenmf.read_texts,
    sparsenmf.read_vocabulary,
    sparsenmf.open_csr,
    sparsenmf.write_csr,
    write_table,
    write_factor,
    *(getattr(plots, name) for name in plots.__all__),
]


@pytest.mark.parametrize("function", PUBLIC, ids=lambda function: function.__name__)
def test_docstring_lists_exactly_the_parameters(function):
    parameters = [name for name in inspect.signature(function).parameters if name != "self"]
    assert documented_parameters(function.__doc__) == parameters


FIRST = ["X", "n_components", "loss", "max_iter", "random_state"]
"""What everybody sets."""


def test_help_begins_with_what_everybody_sets():
    assert list(inspect.signature(sparsenmf.factorize).parameters)[:5] == FIRST
    assert documented_groups(sparsenmf.factorize.__doc__)[""] == FIRST
    shown = pydoc.render_doc(sparsenmf.factorize, renderer=pydoc.plaintext)
    assert re.search(r"H >= 0\.\s+Parameters\s+-+\s+X : ", shown)


@pytest.mark.parametrize("estimator", [sparsenmf.NMF, sparsenmf.MiniBatchNMF])
def test_estimators_group_their_parameters_as_factorize_does(estimator):
    groups = documented_groups(estimator.__doc__)
    assert groups[""] == ["n_components", "beta_loss", "max_iter", "random_state"]
    heading_of = {
        name: heading
        for heading, names in documented_groups(sparsenmf.factorize.__doc__).items()
        for name in names
    }
    assert len(heading_of) == 22  # few enough to be read
    for heading, names in groups.items():
        for name in names:
            assert heading_of.get(name, heading) == heading, name


def test_docstring_defaults_are_the_real_ones():
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(sparsenmf.factorize).parameters.items()
    }
    text = sparsenmf.factorize.__doc__
    for name in ("tol", "max_iter", "alpha_W", "l1_ratio"):
        documented = text.split(f"\n    {name} : ")[1].split("\n")[0].rsplit("default ", 1)[1]
        assert ast.literal_eval(documented) == defaults[name]


def test_import_is_light():
    code = (
        "import sys, sparsenmf\n"
        "heavy = {'numba', 'scipy', 'sklearn', 'pandas', 'tqdm', 'click', 'matplotlib'}\n"
        "loaded = heavy & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_factorization_loads_no_optional_package():
    code = (
        "import sys, scipy.sparse as sp, sparsenmf\n"
        "X = sp.random_array((50, 40), density=0.3)\n"
        "sparsenmf.factorize(X, 3, max_iter=3)\n"
        "optional = {'sklearn', 'pandas', 'tqdm', 'joblib', 'click', 'pyarrow', 'anndata'}\n"
        "optional.add('matplotlib')\n"
        "loaded = optional & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_no_module_hides_a_public_name():
    """Importing a module sets its name in the package, over a function of that name."""
    modules = {path.stem for path in PACKAGE.iterdir() if not path.stem.startswith("_")}
    assert not modules & set(sparsenmf.__all__)
