"""What is told about a version in several places agrees, and what is asked for exists."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import sparsenmf

from .children import ROOT

VERSION = sparsenmf.__version__


def text(*parts):
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def test_the_version_is_written_in_the_package_and_its_copies_agree():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", VERSION)
    project = text("pyproject.toml")
    assert 'version = { attr = "sparsenmf.__version__" }' in project
    assert not re.search(r'^version = "', project, re.MULTILINE)
    assert f"\nversion: {VERSION}\n" in text("CITATION.cff")
    newest = re.search(r"^## (\S+) \((.*)\)$", text("CHANGELOG.md"), re.MULTILINE)
    assert newest[1] == VERSION
    assert re.fullmatch(r"not yet released|20\d\d-\d\d-\d\d", newest[2])
    for path in ROOT.joinpath("docs").rglob("conf.py"):  # takes it from the package
        written = re.findall(r"^(?:version|release) = (.*)$", path.read_text(), re.MULTILINE)
        assert not [value for value in written if re.search(r"\d\.\d", value)], path


def test_the_changelog_has_two_parts_and_names_benchmarks_that_exist():
    _, *versions = re.split(r"^## ", text("CHANGELOG.md"), flags=re.MULTILINE)
    parts = re.findall(r"^### (.*)$", versions[0], re.MULTILINE)
    assert parts == ["What users notice", "What is faster, and by which benchmark"]
    faster = versions[0].partition(parts[1])[2]
    named = set(re.findall(r"`([a-z]+)\.([A-Z]\w+)`", faster))
    assert len(named) > 10
    for module, name in named:
        assert f"class {name}" in text("asv_bench", "benchmarks", f"{module}.py"), name
    for row in re.findall(r"^\| (.*) \|$", faster, re.MULTILINE)[2:]:
        assert re.search(r"\d|half|third|fifth", row.split(" | ")[1]), row
        assert row.endswith("`"), row


@pytest.fixture
def checkout(tmp_path):
    if shutil.which("bash") is None or shutil.which("awk") is None:
        pytest.skip("needs bash and awk")
    for name in (".ci/version", "sparsenmf/__init__.py", "CITATION.cff", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    dated = re.sub(r"^## (\S+) .*$", r"## \1 (2026-01-31)", text("CHANGELOG.md"), flags=re.M)
    (tmp_path / "CHANGELOG.md").write_text(f"{dated}\n## 0.0.9 (2025-01-31)\n\nOld.\n", "utf-8")
    return tmp_path


def notes(checkout, version):
    command = ["bash", str(checkout / ".ci" / "version"), version]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


def test_the_notes_of_a_release_are_its_part_of_the_changelog(checkout):
    found = notes(checkout, VERSION)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("\n### What users notice\n")
    assert "kernels.UpdateRows" in found.stdout
    assert "Old." not in found.stdout


WRONG = {
    "sparsenmf/__init__.py": (f'"{VERSION}"', '"9.9.9"'),
    "CITATION.cff": (f"version: {VERSION}", "version: 9.9.9"),
    "CHANGELOG.md": (f"## {VERSION} ", "## 9.9.9 "),
    "CHANGELOG.md has no date": ("(2026-01-31)", "(not yet released)"),
}


@pytest.mark.parametrize("place", WRONG)
def test_a_version_that_is_not_everywhere_is_not_released(place, checkout):
    path, (old, new) = checkout / place.split()[0], WRONG[place]
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")
    found = notes(checkout, VERSION)
    assert (found.returncode, found.stdout) == (1, "")
    assert place in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_version_whose_name_begins_with_another_is_not_that(checkout):
    assert notes(checkout, VERSION[:-1]).returncode == 1
    assert notes(checkout, f"{VERSION}rc1").returncode == 1


@pytest.fixture(scope="module")
def workflows():
    yaml = pytest.importorskip("yaml")
    folder = ROOT / ".github" / "workflows"
    return {p.stem: yaml.safe_load(p.read_text(encoding="utf-8")) for p in folder.glob("*.yml")}


def commands(job):
    return " ".join(step.get("run", "") for step in job["steps"])


def test_a_release_is_published_by_trust_after_it_has_been_tried(workflows):
    jobs = workflows["release"]["jobs"]
    assert workflows["release"]["permissions"] == {"contents": "read"}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"]
    assert "secrets." not in text(".github", "workflows", "release.yml")
    assert jobs["publish"]["needs"] == "try"
    assert jobs["try"]["needs"] == "build"
    assert ".ci/package dist" in commands(jobs["build"])
    assert ".ci/version" in commands(jobs["build"])
    pushed = [name for name, job in jobs.items() if "refs/tags" in job.get("if", "")]
    assert pushed == ["publish"]
    assert jobs["announce"]["needs"] == "publish"


def test_scripts_that_workflows_run_exist():
    for path in ROOT.joinpath(".github").rglob("*.yml"):
        for script in re.findall(
            r"(?:bash|python) (\.ci/\S+|asv_bench/\S+|docs/\S+)", path.read_text()
        ):
            assert ROOT.joinpath(script).is_file(), f"{path.name}: {script}"


def test_the_oldest_dependencies_are_tested_with_the_oldest_python(workflows):
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml")
    project = tomllib.loads(text("pyproject.toml"))["project"]
    job = workflows["ci"]["jobs"]["oldest"]
    pinned = dict(re.findall(r'"([\w-]+)==([\d.]+?)(?:\.\*)?"', commands(job)))
    extras = [x for name in ("sklearn", "frames") for x in project["optional-dependencies"][name]]
    for requirement in [*project["dependencies"], *extras]:
        name, least = requirement.split(">=")
        assert pinned[name].startswith(least), requirement
    python = job["steps"][1]["with"]["python-version"]
    assert project["requires-python"] == f">={python}"
    assert job["steps"][-1]["run"] == "python -m pytest -q"
    everywhere = workflows["ci"]["jobs"]["tests"]["strategy"]["matrix"]
    assert set(everywhere["os"]) >= {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert python in everywhere["python"]


def test_issues_are_asked_for_what_a_fault_needs():
    yaml = pytest.importorskip("yaml")
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.iterdir()
    }
    assert forms.pop("config")["blank_issues_enabled"] is False
    assert set(forms) == {"fault", "slow", "wish"}
    for form in forms.values():
        assert {"name", "description", "body"} <= set(form)
        ids = [field["id"] for field in form["body"]]
        assert len(ids) == len(set(ids))
        for field in form["body"]:
            assert field["type"] == "textarea"
            assert field["attributes"]["label"]
    for name in ("fault", "slow"):
        fields = {field["id"]: field for field in forms[name]["body"]}
        assert "sparsenmf info --bug-report" in fields["machine"]["attributes"]["label"]
        for needed in ("what", "code", "machine"):
            assert fields[needed]["validations"] == {"required": True}
    shown = {field["id"]: field for field in forms["fault"]["body"]}["code"]
    compile(shown["attributes"]["placeholder"], "placeholder", "exec")


def test_the_citation_has_what_its_format_requires():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load(text("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == VERSION
    assert f'license = "{citation["license"]}"' in text("pyproject.toml")
    assert f'Source = "{citation["repository-code"]}"' in text("pyproject.toml")


def test_what_strangers_look_for_is_in_the_archive_of_the_sources():
    listed = text("MANIFEST.in").split()
    for name in ("CITATION.cff", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md"):
        assert name in listed
        assert ROOT.joinpath(name).is_file()


def test_scripts_end_their_lines_as_shells_want_them():
    assert "* text=auto eol=lf" in text(".gitattributes")
    for path in filter(Path.is_file, ROOT.joinpath(".ci").iterdir()):
        assert b"\r" not in path.read_bytes()
        if os.name == "posix" and shutil.which("bash"):
            assert subprocess.run(["bash", "-n", path]).returncode == 0


def test_a_clone_is_five_lines_from_its_first_passing_test():
    first, *others = re.findall(r"```bash\n(.*?)```", text("CONTRIBUTING.md"), re.DOTALL)
    lines = first.splitlines()
    assert len(lines) <= 5
    assert lines[0].startswith(
        "git clone " + re.search('Source = "(.*)"', text("pyproject.toml"))[1]
    )
    assert lines[-1].startswith("pytest tests/")
    shown = " ".join([first, *others, *re.findall("`([^`]+)`", text("CONTRIBUTING.md"))])
    named = re.findall(r"(?:pytest|bash|python) ((?:tests|\.ci|asv_bench)[\w./]*)", shown)
    assert len(named) > 6
    for path in named:
        assert ROOT.joinpath(path).exists(), path
    extras = re.search(r'-e "\.\[(.*)\]"', first)[1].split(",")
    assert {"test", "lint"} <= set(extras)
