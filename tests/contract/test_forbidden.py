"""Row 65: nothing that runs data as code, no network, no shell; exceptions are listed with reasons."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.contract.trees import tree_of

PACKAGE = ROOT / "lstm_forecast"
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
    "importlib",
    "runpy",
    "subprocess",
    "socket",
    "urllib",
    "requests",
    "http",
    "ftplib",
    "httpx",
    "aiohttp",
    "fsspec",
    "multiprocessing",
    "ctypes",
}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "torch.load",
    "torch.save",
    "torch.hub.load",
    "torch.jit.load",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "np.load",
    "numpy.load",
    "np.fromfile",
    "pd.read_pickle",
    "pandas.read_pickle",
    "os.system",
    "os.popen",
    "import_module",
    "importlib.import_module",
    "typer.launch",
    "pd.eval",
    "pd.read_csv",
}
ALLOWED = {
    ("__init__.py", "importlib"): "imports a public name from one of a fixed few homes",
    ("__init__.py", "importlib.import_module"): "the same",
    ("__init__.py", "import_module"): "the same; the table is in that file",
    ("cli/app.py", "importlib"): "importlib.metadata.version of a fixed few packages, for --version --json",
    ("cli/doctor.py", "importlib"): "importlib.metadata.version of a fixed few packages",
    ("training/allocator.py", "ctypes"): "mallopt of the C library, with constant numbers",
    ("c_library.py", "ctypes"): "loads what was compiled with the package, from beside its source",
    ("data/cell_kernel.py", "ctypes"): "calls that with arrays that it made, or that were cut from a file",
    ("model/lstm_kernel.py", "ctypes"): "what that takes, in C's terms",
    ("model/lstm_stack.py", "ctypes"): "calls that kernel with addresses of tensors that it made or checked",
    (
        "scale/executors.py",
        "multiprocessing",
    ): "starts our own functions; its pipes carry JSON text",
    ("cli/plot.py", "typer.launch"): "plot --open shows a picture that was just written",
}


def used(tree: ast.Module) -> set[str]:
    """Forbidden modules imported and forbidden functions called, by their dotted names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names} & FORBIDDEN_MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").split(".")[0]} & FORBIDDEN_MODULES
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & FORBIDDEN_CALLS
        elif isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & FORBIDDEN_CALLS
            names = {keyword.arg: keyword.value for keyword in node.keywords}
            for flag in ("shell", "allow_pickle"):
                value = names.get(flag)
                if value is not None and not (isinstance(value, ast.Constant) and value.value is False):
                    found.add(flag)
    return found


def test_row_65_nothing_forbidden_is_used() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        found |= {(name, word) for word in used(tree_of(path))}
    assert found == set(ALLOWED)


def test_row_65_public_names_come_from_a_fixed_table() -> None:
    tree = tree_of(PACKAGE / "__init__.py")
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "import_module"]
    assert [ast.unparse(call) for call in calls] == ["import_module(_HOMES[name])"]
    table = next(n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "_HOMES")
    homes = ast.literal_eval(table.value)
    assert all(home.startswith("lstm_forecast.") for home in homes.values())


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "def f():\n    import urllib.request",
        "torch.load(p)",
        "eval(x)",
        "subprocess_run(x, shell=True)",
        "np.load(p, allow_pickle=True)",
        "yaml.load(x)",
        "from torch import load\nfrom yaml import unsafe_load",
    ],
)
def test_each_forbidden_thing_would_be_found(text: str) -> None:
    assert used(ast.parse(text))


def test_the_tests_themselves_never_unpickle() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path == Path(__file__):
            continue
        assert not used(tree_of(path)) & {"torch.load", "np.load", "joblib"}, path
