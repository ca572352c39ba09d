"""Classes of the installed streaming SDK without an import of it: the package starts native threads."""

import importlib.util
from pathlib import Path
from typing import Any


def from_source(module: str, name: str) -> Any:
    """`name` of `snowflake.ingest.streaming.<module>`, a module of plain Python."""
    package = importlib.util.find_spec("snowflake.ingest")
    assert package is not None
    assert package.submodule_search_locations is not None
    (folder,) = package.submodule_search_locations
    names: dict[str, Any] = {"__name__": module}
    exec((Path(folder) / "streaming" / f"{module}.py").read_text(), names)  # noqa: S102
    return names[name]
