"""The streaming service as a client without the SDK meets it: credentials, headers, privileges, limits, a drop."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from scripts.localcloud.snow.http.wire import Request
from scripts.localcloud.snow.ingest import Ingest
from scripts.localcloud.snow.service import Service
from scripts.localcloud.snow.tables.column import column
from scripts.localcloud.snow.tables.warehouse import Table
from tests.unit.scripts.localcloud.snow.key_pairs import ROLE, SUBJECT, jwt, register

HOST = "127.0.0.1"
NEVER_S, DEADLINE_S = 3600.0, 30.0
NAME = ("DB", "PUBLIC", "T-STREAMING")
TABLE = Table("DB", "PUBLIC", "T", (column("N", "NUMBER"),))
PIPE = "v2/streaming/databases/DB/schemas/PUBLIC/pipes/T-STREAMING"
CHANNEL = f"{PIPE}/channels/C"
ROWS = f"{CHANNEL.replace('streaming', 'streaming/data', 1)}/rows"
TYPE = "x-snowflake-authorization-token-type"
JSON = {"accept": "application/json"}
BY_KEY = {"authorization": f"Bearer {jwt(scp=f'session:role:{ROLE}')}", TYPE: "KEYPAIR_JWT", **JSON}
BY_KEY_UNTYPED = {name: text for name, text in BY_KEY.items() if name != TYPE}
UNSIGNED = {TYPE: "KEYPAIR_JWT", **JSON}


class Client:
    """Calls a service that has one table and commits nothing by itself."""

    def __init__(self, runner: asyncio.Runner, service: Service) -> None:
        self.service = service
        self._runner = runner
        self._ingest = Ingest(service, HOST)
        scoped = service.identities.scoped.issue(sub=SUBJECT, role=ROLE, scope=HOST)
        self.by_token = {"authorization": f"Bearer {scoped}", TYPE: "OAUTH", **JSON}

    def call(
        self,
        method: str,
        path: str,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """The status of an answer, and its body."""
        headers = self.by_token if headers is None else headers
        request = Request(method, tuple(path.split("/")), dict(query or {}), dict(headers), body.encode())
        answer = self._runner.run(self._ingest.handle(request))
        is_json = answer.content_type == "application/json"
        return answer.status, json.loads(answer.body) if is_json else answer.body.decode()

    def append(self, continuation: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Append one row."""
        query = {"continuationToken": continuation, "endOffsetToken": "1"}
        return self.call("POST", ROWS, '{"N":1}', headers, query)

    def wait(self, holds: Callable[[], bool]) -> None:
        """Let the service work until something holds."""

        async def held() -> None:
            async with asyncio.timeout(DEADLINE_S):
                while not holds():
                    await asyncio.sleep(0)

        self._runner.run(held())

    def opened(self) -> str:
        """Open the channel; the token for its first append."""
        status, answer = self.call("PUT", CHANNEL)
        assert status == 200
        return str(answer["next_continuation_token"])


@pytest.fixture
def client() -> Iterator[Client]:
    with asyncio.Runner() as runner:
        service = runner.run(_service())
        yield Client(runner, service)
        runner.run(service.close())


async def _service() -> Service:
    service = Service(NEVER_S)
    service.warehouse.create(TABLE)
    service.catalog.add(TABLE)
    register(service.identities)
    return service


@pytest.mark.parametrize("accept", [None, "text/html"])
def test_a_client_that_takes_no_json_is_refused_once_it_is_signed_in(client: Client, accept: str | None) -> None:
    headers = {TYPE: "OAUTH"} if accept is None else {TYPE: "OAUTH", "accept": accept}
    assert client.call("PUT", CHANNEL, headers=headers)[0] == 401
    status, answer = client.call("PUT", CHANNEL, headers=headers | {"authorization": client.by_token["authorization"]})
    assert (status, answer["code"]) == (400, "391902")
    assert answer["message"] == f"Unsupported Accept header {accept or 'null'} is specified."


@pytest.mark.parametrize("accept", ["*/*", "text/html, application/json;q=0.9", "application/*"])
def test_json_is_taken_by_whoever_says_so(client: Client, accept: str) -> None:
    assert client.call("PUT", CHANNEL, headers=client.by_token | {"accept": accept})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{PIPE}:pipe-info", ""),
        ("PUT", CHANNEL, ""),
        ("POST", f"{PIPE}:bulk-channel-status", '{"channel_names": ["C"]}'),
        ("DELETE", CHANNEL, ""),
    ],
)
@pytest.mark.parametrize("headers", [BY_KEY, BY_KEY_UNTYPED], ids=["typed", "untyped"])
def test_a_call_without_rows_takes_the_key_pair_jwt_too(
    client: Client, method: str, path: str, body: str, headers: dict[str, str]
) -> None:
    client.opened()
    assert client.call(method, path, body, headers)[0] == 200


def test_rows_take_a_scoped_token_alone(client: Client) -> None:
    continuation = client.opened()
    for wrong in (BY_KEY, client.by_token | {TYPE: "KEYPAIR_JWT"}, BY_KEY | {TYPE: "OAUTH"}):
        assert client.append(continuation, wrong)[0] == 401
    assert client.append(continuation)[1] == {"status_code": 0, "message": None, "next_continuation_token": "1_1"}


def test_a_token_is_given_for_a_jwt_in_the_header_or_in_the_form(client: Client) -> None:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "scope": f"{HOST} session:role:{ROLE}"}
    in_form = form | {"assertion": BY_KEY["authorization"].removeprefix("Bearer ")}
    assert client.call("POST", "oauth/token", urlencode(form), UNSIGNED)[0] == 401
    for body, headers in ((form, BY_KEY), (form, BY_KEY_UNTYPED), (in_form, {})):
        status, token = client.call("POST", "oauth/token", urlencode(body), headers)
        assert status == 200
        assert client.service.identities.admit(token).role == ROLE


@pytest.mark.parametrize(
    ("privilege", "on", "code"),
    [
        ("USAGE", "DB", "ERR_DATABASE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"),
        ("USAGE", "DB.PUBLIC", "ERR_SCHEMA_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"),
        ("INSERT", "DB.PUBLIC.T", "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED"),
    ],
)
def test_a_role_without_a_privilege_is_refused(client: Client, privilege: str, on: str, code: str) -> None:
    continuation = client.opened()
    client.service.privileges.revoke(privilege, on, ROLE)
    for status, answer in (client.append(continuation), client.call("PUT", CHANNEL)):
        assert (status, answer["code"]) == (404, code)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (PIPE.replace("DB", "NOWHERE"), "ERR_DATABASE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"),
        (PIPE.replace("PUBLIC", "NOWHERE"), "ERR_SCHEMA_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"),
        (PIPE.replace("T-STREAMING", "NOWHERE"), "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_by_its_part(client: Client, path: str, code: str) -> None:
    status, answer = client.call("PUT", f"{path}/channels/C")
    assert (status, answer["code"]) == (404, code)


def test_a_channel_with_uncommitted_rows_is_opened_or_dropped_by_force_alone(client: Client) -> None:
    client.append(client.opened())
    for method in ("PUT", "DELETE"):
        status, answer = client.call(method, CHANNEL, '{"fail_on_uncommitted_rows": true}')
        assert (status, answer["code"]) == (409, "ERR_CHANNEL_HAS_UNCOMMITTED_DATA")
    assert client.append("1_1")[0] == 200
    assert client.call("DELETE", CHANNEL, '{"fail_on_uncommitted_rows": false}')[0] == 200
    assert client.append("1_2")[1]["code"] == "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"


@pytest.mark.parametrize("query", [{"offsetToken": "7"}, {"startOffsetToken": "5", "endOffsetToken": "7"}])
def test_the_token_of_the_last_row_is_committed(client: Client, query: dict[str, str]) -> None:
    client.service.pace.set_delay(0.0)
    client.call("POST", ROWS, '{"N":1}', query={"continuationToken": client.opened(), **query})
    client.wait(lambda: client.service.channel(client.service.pipe(NAME, ROLE), "C").token == "7")


def test_calls_without_rows_have_a_limit_of_their_own(client: Client) -> None:
    client.service.limits.set_control(1 / NEVER_S)
    continuation = client.opened()
    status, answer = client.call("PUT", CHANNEL)
    assert (status, answer["code"]) == (429, "390701")
    assert client.append(continuation)[0] == 200
