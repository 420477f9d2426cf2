"""What code a stage runs, as a digest: TFX's cache compares a component's parameters, not the code behind them."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from data.paths import ROOT


def code_fingerprint(module: str) -> str:
    """sha256 over the source of a module and of all modules of this project that it imports, directly or not.

    Args:
      module: dotted name, such as `modules.purchase.trainer`.

    Raises:
      ModuleNotFoundError: the checkout has no such module.
    """
    entry = _source(module)
    if entry is None:
        raise ModuleNotFoundError(f"there is no module {module} in {ROOT}")
    sources, waiting = {entry}, [entry]
    while waiting:
        for name in _imports(waiting.pop()):
            source = _source(name)
            if source is not None and source not in sources:
                sources.add(source)
                waiting.append(source)
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(f"{source.relative_to(ROOT)}\0".encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _source(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imports(source: Path) -> Iterator[str]:
    """Dotted names that a file imports anywhere in it, and what may be modules among the names taken from them."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
