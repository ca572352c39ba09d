"""The account's URL: the REST API of streaming and the calls of the SQL drivers at one address, as in the cloud.

The authorization server, which in the cloud is somebody else's, answers at a path of its own.
"""

import functools
from typing import TYPE_CHECKING

from scripts.localcloud.snow.http.wire import Request, Response
from scripts.localcloud.snow.identity.authorization import TOKEN_PATH, TokenEndpoint
from scripts.localcloud.snow.ingest import Ingest
from scripts.localcloud.snow.service import Service

if TYPE_CHECKING:
    from scripts.localcloud.snow.sql.endpoint import Endpoint

SQL_PATHS = (("session",), ("queries",), ("telemetry", "send"))


class Front:
    """Hands a request to the side that it is for."""

    def __init__(self, service: Service, host: str) -> None:
        self._service = service
        self._ingest = Ingest(service, host)
        self._access = TokenEndpoint(service.calls, service.identities.authorization)

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if request.segments == TOKEN_PATH:
            return await self._access.handle(request)
        return await (self._sql if _speaks_sql(request) else self._ingest).handle(request)

    @functools.cached_property
    def _sql(self) -> "Endpoint":
        from scripts.localcloud.snow.sql.endpoint import Endpoint

        return Endpoint(self._service.calls, self._service.identities, self._service.database)


def _speaks_sql(request: Request) -> bool:
    return request.segments[:1] in SQL_PATHS or request.segments in SQL_PATHS
