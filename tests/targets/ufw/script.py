"""The firewall script's main part, `templates/ufw/apply.py`, as a module: `apply`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[3]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("apply", REPOSITORY / "templates/ufw/apply.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["apply"] = module
    spec.loader.exec_module(module)
    return module


apply = _loaded()
