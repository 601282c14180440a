"""What makes the stores that are checked, and how another process finds it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

__all__ = ["FactoryError", "StoreFactory", "from_name", "name_of"]


class StoreFactory(Protocol):
    """Makes stores; a function is one.

    It may have three methods more, each for itself:

    - ``damage(place, session_id)``: damage the session, where the kit cannot find its file.
    - ``close(store)``: give back what a store holds; called before another one is opened in its stead.
    - ``describe() -> dict``: what was checked, such as a version and a configuration; it is put into the report.
    """

    def __call__(self, place: Path) -> Any:
        """Return a new store object on what is kept in `place`.

        `place` is a directory that is there and, the first time, empty.
        Called again with the same place, in this process or in another one, it gives a second store object on the
        same data; a store on a server takes `place.name`, which is unique, as its namespace.
        """


class FactoryError(Exception):
    """The factory cannot be had; the text says why, and what to write instead."""


def from_name(name: str) -> Any:
    """Return what ``pkg.module:name`` or ``path/to/file.py:name`` names.

    Raises:
        FactoryError: there is no such module, or nothing of that name in it.
    """
    module_name, colon, attribute = name.rpartition(":")
    if not colon or not module_name or not attribute:
        raise FactoryError(f"{name!r} names no factory: write it as pkg.module:factory")
    if module_name.endswith(".py"):
        if not Path(module_name).is_file():
            raise FactoryError(f"there is no file {module_name!r}; write its path as seen from the working directory")
        found: Any = _loaded(Path(module_name))
    else:
        try:
            found = importlib.import_module(module_name)
        except ImportError as error:
            raise FactoryError(
                f"the module {module_name!r} cannot be imported: {error}; is its folder on the path of Python?"
            ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise FactoryError(f"{module_name!r} has no {attribute!r}; name the function there that makes a store")
        found = getattr(found, part)
    return found


def _loaded(file: Path) -> ModuleType:
    # Not as "__main__", so that what a script does when it is started is not done here.
    name = f"readfresh_conformance_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(factory: object) -> str | None:
    """Return the name under which another process finds the factory; None when it has none, like a lambda."""
    module, qualified = getattr(factory, "__module__", None), getattr(factory, "__qualname__", None)
    if not module or not qualified or "<" in qualified:
        return None
    loaded = sys.modules.get(module)
    found: Any = loaded
    for part in qualified.split("."):
        found = getattr(found, part, None)
    if found is not factory:
        return None
    if module == "__main__":
        file = getattr(loaded, "__file__", None)
        return f"{Path(file).resolve()}:{qualified}" if file else None
    return f"{module}:{qualified}"
