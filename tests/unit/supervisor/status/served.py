"""The status socket of a tree, served as a supervisor does."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from supervisor.status.http.server import HttpServer
from supervisor.status.model import TreeStatus
from supervisor.status.status_socket import status_socket


@contextmanager
def served(directory: Path, read: Callable[[], TreeStatus]) -> Iterator[None]:
    """While it lasts, whoever connects is answered from what `read` returns."""
    with status_socket(directory) as listener, closing(HttpServer([listener], read)):
        yield
