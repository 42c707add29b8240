"""The house: packages, arrows between them, and what a built wheel holds."""

import ast
import importlib.util
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("graph", "storage", "plugin", "integrations", "training")
ARROWS = {
    "graph": set(),
    "storage": set(),
    "plugin": {"graph", "storage"},
    "integrations": {"plugin", "graph"},
    "training": {"graph"},
}
"""Which rooms a room may import. Types of graph/ travel through plugin/ to the adapters."""
COMPOSITION = {"plugin/cli"}
"""The command line starts everything, so it may import every room, inside its commands."""


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_the_package_list_is_the_folders():
    folders = {
        "empathy_r1." + ".".join(path.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for path in sources(room)
        if path.name == "__init__.py"
    }
    setuptools = project()["tool"]["setuptools"]
    assert set(setuptools["packages"]) == folders
    assert setuptools["package-dir"] == {f"empathy_r1.{room}": room for room in ROOMS}


def test_every_folder_with_code_is_a_package():
    for room in ROOMS:
        for path in sources(room):
            assert (path.parent / "__init__.py").exists(), f"{path.parent} has no __init__.py"


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_run_one_way(room):
    for path in sources(room):
        where = path.relative_to(ROOT).with_suffix("").as_posix()
        allowed = set(ROOMS) if any(where.startswith(c) for c in COMPOSITION) else ARROWS[room] | {room}
        for name in imported(path):
            if name.startswith("empathy_r1."):
                assert name.split(".")[1] in allowed, f"{where} imports {name}"


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            names += [f"{module}.{alias.name}" for alias in node.names] if module == "empathy_r1" else [module]
    return names


def test_the_core_never_imports_torch():
    code = (
        "import sys, empathy_r1.graph, empathy_r1.storage, empathy_r1.plugin.engine, empathy_r1.integrations.web.app;"
        "bad = {'torch', 'transformers', 'trl', 'onnxruntime', 'onnxruntime_genai'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_types_are_shipped():
    for room in ROOMS:
        assert (ROOT / room / "py.typed").exists()
        assert importlib.util.find_spec(f"empathy_r1.{room}") is not None


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = ["uv", "build", "--wheel", "--out-dir", out, ROOT]
    subprocess.run([Path(sys.executable).with_name("uv"), *command[1:]], check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_only_the_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"empathy_r1", f"{wheel.name.split('-py3')[0]}.dist-info"}
    shipped = {name.removeprefix("empathy_r1/") for name in names}
    tracked = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    missing = [name for name in tracked.splitlines() if name not in shipped]
    assert not missing, f"tracked files of the packages that the wheel lacks: {missing}"


def test_the_wheel_alone_answers_a_post(wheel, tmp_path):
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv/bin/python"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, tmp_path / "venv"], check=True)
    subprocess.run(
        [uv, "pip", "install", "-q", "--python", python, f"empathy-r1[embedded] @ {wheel.as_uri()}"], check=True
    )
    post = "最近连着三次面试都走到最后一轮被拒，不敢接家里的电话，怕爸妈失望，晚上也睡不着。我是不是真的不行？"
    done = subprocess.run(
        [python.with_name("empathy-r1"), "chat", "--json", "--reveal-chain", post],
        cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["reply"]
    assert set(answer["chain"]) == {"emotion", "cause", "intention", "strategy"}
    size = sum(f.stat().st_size for f in (tmp_path / "venv").rglob("*") if f.is_file())
    assert size <= 400e6, f"core and embedded model take {size / 1e6:.0f} MB"
