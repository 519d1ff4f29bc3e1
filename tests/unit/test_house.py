"""The house: which way imports point, what importing costs, what is packaged, and what the lock file holds."""

import ast
import importlib
import importlib.util
import json
import pkgutil
import platform
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, entry_points, metadata, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "storage")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODEL_LIBRARIES = {
    "ctranslate2",
    "faster_whisper",
    "librosa",
    "nemo",
    "numba",
    "onnxruntime",
    "pocketsphinx",
    "pyannote",
    "resemblyzer",
    "torch",
    "torchaudio",
    "torchcodec",
}


OWNERS = packages_distributions()
"""Which distributions install each top-level module."""


def modules_of(*packages: str) -> list[str]:
    """Return the names of all modules of our packages."""
    found = list(packages)
    for package in packages:
        folder = ROOT / package
        found += [module.name for module in pkgutil.walk_packages([str(folder)], f"{package}.")]
    return found


def loaded_by(*modules: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after importing some of ours."""
    script = f"import json, sys\nfor name in {modules!r}: __import__(name)\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    return {name.partition(".")[0] for name in json.loads(answer.stdout)}


# ---- which way imports point, and what importing costs


def test_imports_point_one_way():
    answer = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "4 kept, 0 broken" in answer.stdout


def test_prefect_is_imported_where_flows_and_steps_are_and_nowhere_else():
    importing = set()
    for module in modules_of(*PACKAGES):
        source = Path(importlib.util.find_spec(module).origin)
        if any(name.partition(".")[0] == "prefect" for name in _imported_names(source)):
            importing.add(module)
    assert "tasks.steps" in importing
    assert {module for module in importing if not module.startswith("flows.")} == {"tasks.steps"}


def test_importing_everything_loads_no_model_library():
    loaded = loaded_by(*modules_of(*PACKAGES))
    assert "prefect" in loaded, "the check looks at the wrong interpreter"
    assert loaded & MODEL_LIBRARIES == set()


def test_the_command_line_starts_without_anything_heavy():
    heavy = MODEL_LIBRARIES | {"av", "duckdb", "numpy", "prefect", "pyarrow", "pydantic", "scipy"}
    assert loaded_by("flows.cli") & heavy == set()


def test_storage_and_tasks_work_without_prefect():
    modules = [module for module in modules_of("tasks", "storage") if module != "tasks.steps"]
    assert "prefect" not in loaded_by(*modules)


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("*.py")), ids=lambda path: path.stem)
def test_no_flow_file_hides_another_module(path):
    """A deployment by file path puts flows/ first on sys.path: `queue.py` there would break the standard library."""
    if path.stem == "__init__":
        return
    assert path.stem not in sys.stdlib_module_names
    assert path.stem not in PACKAGES
    assert path.stem not in OWNERS


def test_nobody_else_installs_our_package_names():
    for package in PACKAGES:
        assert set(OWNERS.get(package, ["voxlake"])) == {"voxlake"}


def test_every_folder_of_code_is_a_package():
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), file


def _imported_names(source: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source} imports relatively"
            names.add(node.module)
    return names


# ---- what is packaged


def test_the_wheel_holds_the_three_packages_and_nothing_else():
    build = PROJECT["tool"]["hatch"]["build"]
    assert build == {"targets": {"wheel": {"packages": list(PACKAGES)}}}


def test_packages_hold_code_and_a_second_of_speech_only():
    """The wheel takes whatever lies in the packages."""
    strangers = [
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    ]
    assert strangers == ["tasks/second_of_speech.flac"]


def test_entry_points_resolve():
    declared = {group: dict(points) for group, points in PROJECT["project"]["entry-points"].items()}
    declared["console_scripts"] = PROJECT["project"]["scripts"]
    for group, points in declared.items():
        installed = {point.name: point for point in entry_points(group=group)}
        for name, target in points.items():
            assert name in installed, f"{group} {name} is declared, but not installed: install the project again"
            assert installed[name].value == target
            assert callable(installed[name].load())


def test_the_licence_is_there():
    (file,) = PROJECT["project"]["license-files"]
    assert "Apache License" in (ROOT / file).read_text()


def test_the_versions_agree():
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == PROJECT["project"]["version"]


def test_python_versions_agree():
    allowed = SpecifierSet(PROJECT["project"]["requires-python"])
    prefix = "Programming Language :: Python :: "
    classified = {line.removeprefix(prefix) for line in PROJECT["project"]["classifiers"] if line.startswith(prefix)}
    assert classified == {f"3.{minor}" for minor in range(30) if f"3.{minor}.99" in allowed}


# ---- the lock file


def locked() -> dict[str, list[str]]:
    """Return the versions that the lock file holds, by package; several where they depend on the Python."""
    versions: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", line
        versions.setdefault(canonicalize_name(requirement.name), []).append(specifier.version)
    return versions


def asked_for() -> list[Requirement]:
    """Return everything that the project, its extras and its development need."""
    project = PROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values(), PROJECT["dependency-groups"]["dev"]]
    return [requirement for group in groups for requirement in map(Requirement, group) if requirement.name != "voxlake"]


def test_the_lock_file_holds_no_address():
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"://|@|^\s*-|#", text, re.MULTILINE)


@pytest.mark.parametrize("requirement", asked_for(), ids=lambda requirement: requirement.name)
def test_the_lock_file_covers_what_is_asked_for(requirement):
    versions = locked().get(canonicalize_name(requirement.name), [])
    assert versions, "renew the lock file: make lock"
    assert all(requirement.specifier.contains(version, prereleases=True) for version in versions)


@pytest.mark.parametrize("package", sorted(locked()))
def test_pip_takes_what_is_locked(package):
    """It refuses what says that it is for other versions of Python; uv only what asks for a later one."""
    with suppress(PackageNotFoundError):  # for another system
        wanted = metadata(package).get("Requires-Python")
        assert not wanted or platform.python_version() in SpecifierSet(wanted)


def test_all_means_every_extra():
    extras = PROJECT["project"]["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    assert everything.extras == extras.keys() - {"all"}
