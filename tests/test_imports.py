"""The house rules about imports, read from the source: one way, light, and without the optional packages."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "spectramind_kit"

OPTIONAL = {
    *("polars", "hydra", "umap", "shap", "matplotlib", "batman", "dask", "distributed", "papermill"),
    *("mamba_ssm", "causal_conv1d", "torch_scatter", "pyg_lib", "psutil", "sklearn", "numba", "kaggle"),
    *("nbformat", "nbconvert", "IPython"),
}

# A room may import those of lower floors, itself, and what is named for it below.
_FLOORS = (
    (
        "errors lazy runtime optional_packages worker_processes programs command_line whole_file "
        "configs metric fingerprint robust"
    ),
    "submission detector",
    "simulator transit",
    "models losses",
    "run_folder",
    "training",
    "inference",
    "diagnostics",
    "notebook check_environment compiled_wheels",
)
FLOOR = {room: floor for floor, rooms in enumerate(_FLOORS) for room in rooms.split()}
# The floors allow more than the design does: a model never knows a path, a planet or a notebook.
_TOOLS = "errors lazy runtime"
ONLY = {
    own: set(f"{own} {_TOOLS} {others}".split())
    for own, others in {
        "models": "optional_packages metric configs.target detector.instrument",
        "losses": "metric detector.instrument models",
        "detector": "optional_packages worker_processes whole_file robust configs fingerprint",
        "transit": "optional_packages whole_file robust metric configs fingerprint detector",
        "simulator": "command_line optional_packages whole_file robust metric configs detector transit",
    }.items()
}


def source_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> list[tuple[str, bool]]:
    """(module, at top level) for every import of a file; names in ``if TYPE_CHECKING`` blocks are not
    imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, top: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                visit(child, top)
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append((node.module, top))
            found.extend(
                (f"{node.module}.{alias.name}", top)
                for alias in node.names
                if (ROOT / Path(*node.module.split("."), alias.name)).with_suffix(".py").is_file()
            )
        for child in ast.iter_child_nodes(node):
            visit(child, top and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    visit(tree, True)
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_imports_run_one_way():
    """Guards against a cycle, and against a model that knows files or a detector that knows models."""
    wrong = []
    for path in source_files():
        own = room(module_name(path))
        for module, _ in imported_modules(path):
            if not module.startswith("spectramind_kit.") or not own:
                continue
            other, inside = room(module), module.removeprefix("spectramind_kit.")
            arrow = f"{path.relative_to(ROOT)} imports {module}"
            allowed = ONLY.get(own, {other})
            if unknown := {own, other} - FLOOR.keys():
                wrong.append(f"{arrow}: no floor is set for {', '.join(unknown)}")
            elif other != own and FLOOR[other] > FLOOR[own]:
                wrong.append(f"{arrow}, which is above it")
            elif not any(inside == name or inside.startswith(f"{name}.") for name in allowed):
                wrong.append(f"{arrow}: {own} may import only {', '.join(sorted(allowed))}")
    assert not wrong, "\n".join(wrong)


def kit_imports(path: Path) -> set[str]:
    """Modules of the kit that a file names in any import, also inside functions and under TYPE_CHECKING."""
    known = {module_name(p) for p in source_files()}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            named = {f"{node.module}.{alias.name}" for alias in node.names} & known
            found.update(named or {node.module})
    return (found & known) - {module_name(path)}


def test_no_file_imports_in_a_circle():
    """Guards against two files that cannot be read one after the other; a package's front names its modules
    as text."""
    files = [path for path in source_files() if path.name != "__init__.py"]
    names = {module_name(path) for path in files}
    graph = {module_name(path): kit_imports(path) & names for path in files}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("imports run in a circle: " + " -> ".join(error.args[1]))


# Folders of a room, lower ones first; "" are the room's own files. A file imports from its own folder and
# lower ones.
LAYERS = {"transit": ("", "likelihood", "priors", "fit", "anchor")}


@pytest.mark.parametrize("own_room", LAYERS)
def test_layers_import_downwards(own_room: str):
    """Guards against a likelihood that knows a prior, or a fit that knows an anchor."""

    def layer(module: str) -> int:
        parts = module.split(".")[2:]
        return LAYERS[own_room].index(parts[0] if len(parts) > 1 else "")

    wrong = []
    for path in sorted((PACKAGE / own_room).rglob("*.py")):
        if path.name == "__init__.py":
            continue
        mine = layer(module_name(path))
        wrong += [
            f"{path.relative_to(ROOT)} imports {module}, which is above it"
            for module in sorted(kit_imports(path))
            if module.startswith(f"spectramind_kit.{own_room}.") and layer(module) > mine
        ]
    assert not wrong, "\n".join(wrong)


def test_optional_packages_are_imported_inside_functions():
    """Guards against a module that cannot be imported where an optional package is missing (Kaggle has no
    hydra)."""
    wrong = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in source_files()
        for module, top in imported_modules(path)
        if top and module.split(".")[0] in OPTIONAL
    ]
    assert not wrong, "\n".join(wrong)


def test_third_party_imports_are_declared():
    """Guards against a package that is there only because another one happens to bring it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        re.match(r"[A-Za-z0-9_-]+", line)[0].lower().replace("-", "_") for line in project["dependencies"]
    }
    needed = {module.split(".")[0] for path in source_files() for module, _ in imported_modules(path)}
    needed -= set(sys.stdlib_module_names) | OPTIONAL | {"spectramind_kit"}
    assert needed <= declared | {"yaml"}, f"not in pyproject's dependencies: {sorted(needed - declared)}"


def test_the_front_door_is_light():
    """Guards against `import spectramind_kit` costing seconds: neither torch nor pandas, and dir() lists the
    names."""
    done = run_python(
        "import sys, spectramind_kit as kit; dir(kit); kit.__version__; import spectramind_kit.runtime, "
        "spectramind_kit.errors; "
        "print(sorted({'torch', 'pandas', 'scipy', 'pyarrow'} & set(sys.modules)))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


IMPORT_ALL = """
import importlib, sys
class Missing:
    names = {optional!r}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked by the test)", name=name)
sys.meta_path.insert(0, Missing())
before = set(sys.modules)
failed = []
for module in {modules!r}:
    for name in [name for name in sys.modules if name.startswith("spectramind_kit")]:
        del sys.modules[name]                       # each module alone, not in the shade of an earlier one
    try:
        importlib.import_module(module)
    except Exception as error:
        failed.append(f"{{module}}: {{type(error).__name__}}: {{error}}")
print("\\n".join(failed))
"""


def test_every_module_imports_alone_without_optional_packages():
    """Guards against hidden import-order needs and against an optional package that has become required."""
    modules = [module_name(path) for path in source_files() if path.name != "__main__.py"]
    done = run_python(IMPORT_ALL.format(optional=OPTIONAL, modules=modules))
    assert done.returncode == 0, done.stderr
    assert not done.stdout.strip(), done.stdout


def test_the_public_names_exist():
    """Guards against a front door that promises a name which its module does not have."""
    done = run_python(
        "import spectramind_kit as kit\n"
        "for name in kit.__all__:\n    assert getattr(kit, name) is not None, name"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "path", source_files() + sorted((ROOT / "scripts").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_files_hold_one_idea(path: Path):
    """Guards against files that no longer fit in a head, and names that say nothing."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300, "longer than 300 lines"
    assert not re.match(r"(utils?|helpers?|misc|common|.*_v\d+|.*_final)$", path.stem), (
        "a name that says nothing"
    )
    if any(not isinstance(node, ast.Expr) for node in ast.parse(text).body):  # more than a docstring
        assert "from __future__ import annotations" in text
