"""The status socket of a tree, served as a supervisor does."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from supervisor.status.http.server import HttpServer
from supervisor.status.model import TreeStatus
from supervisor.status.status_socket import StatusSocket

LOOK_S = 0.05  # after what has become of the socket


@contextmanager
def served(directory: Path, read: Callable[[], TreeStatus]) -> Iterator[None]:
    """While it lasts, whoever connects is answered from what `read` returns."""
    with (
        closing(StatusSocket(directory)) as local,
        closing(HttpServer([local.listener], read, sample_every_s=LOOK_S, renewed=local.renewed)),
    ):
        yield
