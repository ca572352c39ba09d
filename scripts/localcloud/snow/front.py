"""The account's URL: the REST API of streaming and the calls of the SQL drivers at one address, as in the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ingest import Ingest
from .sql.endpoint import Endpoint, speaks_sql

if TYPE_CHECKING:
    from .service import Service
    from .wire import Request, Response


class Front:
    """Hands a request to the side that it is for."""

    def __init__(self, service: Service, host: str, port: int) -> None:
        self._ingest = Ingest(service, host, port)
        self._sql = Endpoint(service)

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        return await (self._sql if speaks_sql(request) else self._ingest).handle(request)
