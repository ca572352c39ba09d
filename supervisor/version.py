"""The version of the installed distribution, and of what its commands print."""

from importlib.metadata import version

VERSION = version("evsup")
# Of the JSON documents (docs/json.md): it rises when a field is renamed or removed, or means something else.
JSON_VERSION = 1
