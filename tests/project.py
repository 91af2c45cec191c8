"""The project as data: its tracked files and the syntax trees of its modules."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that is in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, so nobody can say which files are in the repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for path in (ROOT / name for name in listed.split("\0") if name) if path.is_file())


@cache
def modules(*folders: str) -> dict[str, ast.Module]:
    """The syntax tree of every Python file below these folders, by path from the root."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in paths}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def last_name(node: ast.AST | None) -> str | None:
    """`b` for `b` and for `a.b`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def document(name: str) -> str:
    return (ROOT / name).read_text()
