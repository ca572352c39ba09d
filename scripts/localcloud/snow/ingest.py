"""The REST API that the streaming SDK calls.

https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api
"""

import hashlib
import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from scripts.localcloud.snow.channels.channel import Append
from scripts.localcloud.snow.http.compression import decompressed
from scripts.localcloud.snow.http.faults import Call
from scripts.localcloud.snow.http.refusal import ACCEPT_UNSUPPORTED, Refusal, bad_request
from scripts.localcloud.snow.http.wire import Request, Response, json_response, text_response
from scripts.localcloud.snow.identity.authorization import ROLE_SCOPE
from scripts.localcloud.snow.identity.identity import KEY_PAIR, Caller
from scripts.localcloud.snow.identity.tokens import invalid
from scripts.localcloud.snow.service import Service
from scripts.localcloud.snow.stage.pipe_info import pipe_info
from scripts.localcloud.snow.tables.catalog import Name, Pipe

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a kind of grant
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a kind of token

TOKEN_TYPE = "x-snowflake-authorization-token-type"  # noqa: S105 - the name of a header
JSON_TYPES = frozenset(("application/json", "application/*", "*/*"))

# https://github.com/snowflakedb/snowflake-openflow-components reads these beside the token of an append.
SUCCEEDED = {"status_code": 0, "message": None}

_CHANNEL_CALLS: dict[str, Call] = {"PUT": "open", "DELETE": "drop"}
_PIPE_CALLS: dict[str, Call] = {"pipe-info": "pipe_info", "bulk-channel-status": "status"}
_DATA_CALLS: dict[str, Call] = {"rows": "append", "filebuffer": "filebuffer"}
_WITH_ROWS = frozenset(_DATA_CALLS.values())
# With fewer fields the SDK warns that it cannot read the answer; what the cloud puts in them is a guess.
_TELEMETRY_TAKEN = {"code": "0", "data": "Log Received", "message": None, "success": True}


@dataclass(frozen=True)
class Route:
    """A call, the pipe in its path (absent for the account's own calls) and the channel."""

    call: Call
    pipe: Name | None = None
    channel: str = ""


@dataclass
class Ingest:
    """Answers the SDK: faults first, then the credential, then the call."""

    service: Service
    host: str

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            route = _route(request)
        except Refusal as refusal:
            self.service.calls.answers[f"unknown {refusal.status.value} {refusal.code}"] += 1
            return _refused(refusal)
        return await self.service.calls.answered(route.call, lambda: self._serve(route, request), _refused)

    async def _serve(self, route: Route, request: Request) -> Response:
        if route.call == "telemetry":
            return json_response(_TELEMETRY_TAKEN)
        if route.call not in _WITH_ROWS:
            self.service.limits.take_control(time.monotonic())
        if route.pipe is None:
            return self._account_call(route.call, request)
        caller = self._caller(route.call, request)
        _require_json_taken(request)
        pipe = self.service.pipe(route.pipe, caller.role)
        match route.call:
            case "pipe_info":
                return json_response(
                    pipe_info(self.service.stage, self.service.file_keys, self.service.options_of(pipe).binary)
                )
            case "status":
                return self._status(pipe, request)
            case "open":
                return await self._open(pipe, route.channel, caller, request)
            case "append":
                return self._append(pipe, route.channel, request)
            case "filebuffer":
                return self._register(pipe, route.channel, request)
            case _:
                return await self._drop(pipe, route.channel, request)

    def _caller(self, call: Call, request: Request) -> Caller:
        """Verify the credential of a call to a pipe: a scoped token or, where no rows come, a key-pair JWT.

        Redpanda Connect's client asks the account for a status with the JWT, and saw 401 for the one credential in the
        other's place: https://github.com/redpanda-data/connect/tree/main/internal/impl/snowflake/streamingv2
        """
        identities, kind, token = self.service.identities, request.headers.get(TOKEN_TYPE), _bearer(request)
        if call not in _WITH_ROWS:
            return identities.caller(token, kind)
        if kind == KEY_PAIR:
            raise invalid()
        return identities.admit(token)

    def _account_call(self, call: Call, request: Request) -> Response:
        by_token = request.headers.get(TOKEN_TYPE) == "OAUTH"
        identities = self.service.identities
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        host, _, scope = form.get("scope", "").partition(" ")
        verify = identities.login_by_token if by_token else identities.login
        # https://datatracker.ietf.org/doc/html/rfc7523#section-2.1: the JWT may be in the form instead.
        caller = verify(_bearer(request) or form.get("assertion", ""), role=scope.removeprefix(ROLE_SCOPE))
        if call == "hostname":
            _require_json_taken(request)
            return text_response(self.host)
        wanted = (TOKEN_EXCHANGE, ACCESS_TOKEN) if by_token else (JWT_BEARER, None)
        if (form.get("grant_type"), form.get("subject_token_type")) != wanted or host != self.host:
            raise bad_request(f"the grant must be {wanted[0]} and scope the host of this account")
        return text_response(identities.issue(caller, self.host))

    def _status(self, pipe: Pipe, request: Request) -> Response:
        names = _body(request).get("channel_names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise bad_request("channel_names must be a list of strings")
        return json_response({"channel_statuses": self.service.statuses(pipe, names)})

    async def _open(self, pipe: Pipe, name: str, caller: Caller, request: Request) -> Response:
        body = _body(request)
        channel = await self.service.opened(pipe, name)
        token = body.get("offset_token")
        await channel.open(
            caller.user.subject,
            caller.role,
            token if isinstance(token, str) else None,
            fail_on_uncommitted=_fails_on_uncommitted(body),
            duration_s=self.service.open_duration_s,
        )
        self.service.thaw_token(channel)
        if self.service.opened_with:
            channel.open_invalid(self.service.opened_with.pop(0))
            self.service.faults.fired["open_invalid"] += 1
        status = channel.status(channel.token)
        return json_response({"next_continuation_token": channel.continuation, "channel_status": status})

    def _append(self, pipe: Pipe, name: str, request: Request) -> Response:
        channel = self.service.channel(pipe, name)
        if len(request.body) > self.service.max_wire_bytes:
            message = f"The payload has {len(request.body)} bytes; {self.service.max_wire_bytes} is the limit."
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
        text = decompressed(request.body, request.headers.get("content-encoding", "identity"))
        self.service.limits.take((pipe.name, channel.name), len(text), time.monotonic())
        # The page names `offsetToken`; the SDK sends the first and the last one of the rows instead.
        end_token = request.query.get("endOffsetToken", request.query.get("offsetToken"))
        append = Append(text, end_token, _digest(request))
        token = channel.append(request.query.get("continuationToken", ""), append)
        return json_response({**SUCCEEDED, "next_continuation_token": token})

    def _register(self, pipe: Pipe, name: str, request: Request) -> Response:
        """Append the rows of files, which were decrypted when the first of two equal requests came."""
        channel, fragments = self.service.channel(pipe, name), self.service.fragments
        continuation, digest = request.query.get("continuationToken", ""), _digest(request)
        token = channel.admit(continuation, digest)
        if token is None:
            read = fragments.read(_json(request))
            text = b"\n".join(one.text for one in read)
            self.service.limits.take((pipe.name, channel.name), len(text), time.monotonic())
            token = channel.append(continuation, Append(text, read[-1].end_token, digest))
            fragments.take(read)
        return json_response({**SUCCEEDED, "next_continuation_token": token})

    async def _drop(self, pipe: Pipe, name: str, request: Request) -> Response:
        channel = self.service.channel(pipe, name)
        if _fails_on_uncommitted(_body(request)):
            channel.require_committed()
        await self.service.forget(channel)
        return json_response({})


def _route(request: Request) -> Route:
    """Find the call that a method and a path mean."""
    match request.method, request.segments:
        case "GET", ("v2", "streaming", "hostname"):
            return Route("hostname")
        case "POST", ("oauth", "token"):
            return Route("token")
        case "POST", ("telemetry", "send", "sessionless"):
            return Route("telemetry")
        case method, ("v2", "streaming", "databases", database, "schemas", schema, "pipes", pipe, "channels", name):
            if call := _CHANNEL_CALLS.get(method):
                return Route(call, (database, schema, pipe), name)
        case "POST", ("v2", "streaming", "data", "databases", database, "schemas", schema, *rest):
            match rest:
                case ("pipes", pipe, "channels", name, verb) if call := _DATA_CALLS.get(verb):
                    return Route(call, (database, schema, pipe), name)
        case "POST", ("v2", "streaming", "databases", database, "schemas", schema, "pipes", action):
            pipe, _, verb = action.rpartition(":")
            if call := _PIPE_CALLS.get(verb):
                return Route(call, (database, schema, pipe))
    raise Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"No such call: {request.method} /{'/'.join(request.segments)}")


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _require_json_taken(request: Request) -> None:
    """Refuse a client that does not say it takes JSON, once it has signed in.

    Seen by clients of the live service, since Go, Java and PowerShell send no such header by themselves:
    https://github.com/redpanda-data/connect/blob/main/internal/impl/snowflake/streamingv2/client.go
    Snowflake's own client for Openflow sends none where it asks for a token, so there it is not asked for:
    https://github.com/snowflakedb/snowflake-openflow-components
    """
    accept = request.headers.get("accept", "null")
    if JSON_TYPES.isdisjoint(one.partition(";")[0].strip() for one in accept.split(",")):
        message = f"Unsupported Accept header {accept} is specified."
        raise Refusal(HTTPStatus.BAD_REQUEST, ACCEPT_UNSUPPORTED, message)


def _fails_on_uncommitted(body: dict[str, Any]) -> bool:
    return body.get("fail_on_uncommitted_rows") is True


def _body(request: Request) -> dict[str, Any]:
    body = _json(request) if request.body else {}
    if not isinstance(body, dict):
        raise bad_request("the body is not a JSON object")
    return body


def _json(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except ValueError as exc:
        raise bad_request(f"the body is not JSON: {exc}") from exc


def _digest(request: Request) -> bytes:
    return hashlib.blake2b(request.body).digest()


def _refused(refusal: Refusal) -> Response:
    return json_response(refusal.body, refusal.status)
