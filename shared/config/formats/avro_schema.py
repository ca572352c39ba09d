"""A file with an Avro schema, and the packages that Avro needs."""

from importlib.util import find_spec

import msgspec

from shared.config.formats.files import text_of

MOST_BYTES = (
    1024 * 1024
)  # as many as the registry takes: https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
INSTALL = "needs evsup's extra `avro`: pip install '.[avro]' in its source directory"


def package_problem() -> str | None:
    """Why Avro cannot be read here, in plain English; None: it can."""
    return None if find_spec("fastavro") and find_spec("azure.schemaregistry") else INSTALL


def schema_problem(path: str) -> str | None:
    """Why a file is no Avro schema, in plain English; None: it is one."""
    if problem := package_problem():
        return problem
    import fastavro

    try:
        text = text_of(path, MOST_BYTES)
    except ValueError as error:
        return str(error)
    try:
        fastavro.parse_schema(msgspec.json.decode(text))
    except msgspec.DecodeError:
        return "is no JSON"
    except Exception as error:  # noqa: BLE001 (whatever fastavro raises for what is no schema)
        return f"is no Avro schema ({type(error).__name__}: {error})"
    return None
