"""What code a stage runs, as a digest: TFX's cache compares a component's parameters, not the code behind them."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
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
        for name in _imports(waiting.pop().read_bytes()):
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


@cache
def _imports(code: bytes) -> tuple[str, ...]:
    """Dotted names that a file imports anywhere in it, and what may be modules among the names taken from them."""
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)
