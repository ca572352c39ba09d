"""The version of the installed distribution, and of what its commands print."""

# Of the JSON documents (docs/json.md): it rises when a field is renamed or removed, or means something else.
JSON_VERSION = 1


def installed(distribution: str = "evsup") -> str:
    """The version of an installed distribution."""
    from importlib.metadata import version  # here, because it takes 10 ms, and most commands do not say it

    return version(distribution)


def sdks() -> list[str]:
    """The vendors' SDKs that move events, each with its version: evsup relies on what is private to them."""
    return [f"{name} {installed(name)}" for name in ("azure-eventhub", "snowpipe-streaming")]
