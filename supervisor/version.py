"""The version of the installed distribution, and of what its commands print."""

# Of the JSON documents (docs/json.md): it rises when a field is renamed or removed, or means something else.
JSON_VERSION = 1


def installed() -> str:
    """The version of the installed distribution."""
    from importlib.metadata import version  # here, because it takes 10 ms, and most commands do not say it

    return version("evsup")
