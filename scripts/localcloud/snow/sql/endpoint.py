"""The calls of Snowflake's SQL drivers: login, query, heartbeat, renewal, logout, telemetry.

A driver makes a call again, with its `requestId`, when the answer was lost: the statement runs once and is answered
twice. The protocol is not documented; it is the connector's (`snowflake/connector/{network,auth/_auth,cursor}.py`).
"""

import asyncio
import gzip
import json
import uuid
from http import HTTPStatus
from typing import Any

from scripts.localcloud.snow.http.calls import Calls
from scripts.localcloud.snow.http.faults import Call
from scripts.localcloud.snow.http.refusal import ACCESS_DENIED, Refusal, bad_request
from scripts.localcloud.snow.http.wire import Request, Response, json_response
from scripts.localcloud.snow.identity.identity import Identities
from scripts.localcloud.snow.sql.database import Database
from scripts.localcloud.snow.sql.session import MASTER_S, Login, Session
from scripts.localcloud.snow.sql.statements import binding
from scripts.localcloud.snow.sql.statements.parameter import Parameters
from scripts.localcloud.snow.sql.statements.refusal import SqlRefusal
from scripts.localcloud.snow.sql.statements.rowset import Rowset
from scripts.localcloud.snow.sql.statements.statement import Statement

SERVER_VERSION = "9.38.0"
KEPT_ANSWERS = 32  # of a session, for drivers that ask again
ENVELOPED = frozenset(
    {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}
)  # refusals that travel as an answer with `success: false`

_CALLS: dict[tuple[str, ...], Call] = {
    ("session", "v1", "login-request"): "login",
    ("session", "token-request"): "renew",
    ("session", "heartbeat"): "heartbeat",
    ("session",): "logout",
    ("queries", "v1", "query-request"): "query",
    ("queries", "v1", "abort-request"): "abort",
    ("telemetry", "send"): "telemetry",
}
# STATEMENT_TYPE_ID_… of the connector's cursor.py, which takes row counts from results of the DML types alone.
_TYPES = {"select": 0x1000, "union": 0x1000, "insert": 0x3100, "update": 0x3200, "delete": 0x3300}


class Endpoint:
    """Answers the drivers: faults first, then the token, then the call."""

    def __init__(self, calls: Calls, identities: Identities, database: Database) -> None:
        self._calls = calls
        self._identities = identities
        self._database = database

    async def handle(self, request: Request) -> Response:
        """Answer one call."""
        call = _CALLS.get(request.segments)
        if call is None:
            return _refused(Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"No such call: /{'/'.join(request.segments)}"))
        return await self._calls.answered(call, lambda: self._serve(call, request), _refused)

    async def _serve(self, call: Call, request: Request) -> Response:
        try:
            return await self._respond(call, request)
        except SqlRefusal as refusal:
            raise Refusal(HTTPStatus.OK, refusal.code, refusal.message) from refusal

    async def _respond(self, call: Call, request: Request) -> Response:
        if call == "telemetry":
            return _success(None)
        body = _body(request)
        if call == "login":
            return await self._login(request, body)
        token = request.headers.get("authorization", "").removeprefix('Snowflake Token="').removesuffix('"')
        if call == "renew":
            return self._renewed(self._database.sessions.renew(token))
        session = self._database.sessions.admit(token)
        match call:
            case "query":
                return await self._query(session, request.query.get("requestId", ""), body)
            case "abort":
                self._database.abort(session, str(body.get("requestId", "")))
            case "logout":
                await self._database.logout(session)
        return _success(None)

    async def _login(self, request: Request, body: dict[str, Any]) -> Response:
        data = body.get("data", {})
        verifiers = {"SNOWFLAKE_JWT": self._identities.login, "OAUTH": self._identities.login_by_token}
        verify = verifiers.get(data.get("AUTHENTICATOR"))
        if verify is None:
            raise Refusal(HTTPStatus.UNAUTHORIZED, ACCESS_DENIED, "Incorrect username or password was specified.")
        subject = f"{data.get('ACCOUNT_NAME')}.{data.get('LOGIN_NAME')}"
        role = request.query.get("roleName", "").upper()
        user = verify(str(data.get("TOKEN", "")), subject, role).user
        parameters = Parameters()
        for name, value in data.get("SESSION_PARAMETERS", {}).items():
            parameters.set(name, value)
        names = [_upper(request.query.get(name)) for name in ("databaseName", "schemaName", "warehouse")]
        login = Login(user, role or min(user.roles, default="PUBLIC"), parameters, *names)
        session = await self._database.login(login)
        tokens = self._database.sessions.tokens(session)
        return _success({
            "token": tokens.session,
            "masterToken": tokens.master,
            "validityInSeconds": int(self._database.sessions.lifetime_s),
            "masterValidityInSeconds": int(MASTER_S),
            "displayUserName": user.name,
            "serverVersion": SERVER_VERSION,
            "sessionId": session.number,
            "parameters": session.parameters.all(),
            "sessionInfo": _names(session),
        })  # fmt: skip

    def _renewed(self, session: Session) -> Response:
        tokens = self._database.sessions.tokens(session)
        return _success({
            "sessionToken": tokens.session,
            "masterToken": tokens.master,
            "validityInSecondsST": int(self._database.sessions.lifetime_s),
            "masterValidityInSeconds": int(MASTER_S),
            "sessionId": session.number,
        })  # fmt: skip

    async def _query(self, session: Session, request_id: str, body: dict[str, Any]) -> Response:
        """Run a statement, or wait for the answer to the same request that was made before."""
        if request_id not in session.answers:
            while len(session.answers) >= KEPT_ANSWERS:
                session.answers.pop(next(iter(session.answers)))
            session.answers[request_id] = asyncio.ensure_future(self._answer(session, request_id, body))
        return await asyncio.shield(session.answers[request_id])

    async def _answer(self, session: Session, request_id: str, body: dict[str, Any]) -> Response:
        query_id = str(uuid.uuid4())
        try:
            statement, result = await self._database.run(session, request_id, _executions(body))
        except SqlRefusal as refusal:
            data = {"errorCode": refusal.code, "sqlState": refusal.sqlstate, "queryId": query_id}
            return _failure(refusal.code, refusal.message, data)
        return _success(_data(session, query_id, statement, result))


def _executions(body: dict[str, Any]) -> list[str]:
    sql, bindings = str(body.get("sqlText", "")), body.get("bindings")
    return [binding.bound(sql, literals) for literals in binding.rows(bindings)] if bindings else [sql]


def _data(session: Session, query_id: str, statement: Statement, result: Rowset) -> dict[str, Any]:
    return {
        "parameters": session.parameters.all() if statement.kind == "session" else [],
        "rowtype": result.rowtype(),
        "rowset": result.values(),
        "total": len(result.rows),
        "returned": len(result.rows),
        "queryId": query_id,
        "statementTypeId": _TYPES.get(statement.tree.key, 0),
        "queryResultFormat": "json",
        "finalDatabaseName": session.connection.database,
        "finalSchemaName": session.connection.schema,
        "finalWarehouseName": session.warehouse,
        "finalRoleName": session.role,
    }


def _names(session: Session) -> dict[str, str | None]:
    return {
        "databaseName": session.connection.database,
        "schemaName": session.connection.schema,
        "warehouseName": session.warehouse,
        "roleName": session.role,
    }


def _body(request: Request) -> dict[str, Any]:
    packed = request.headers.get("content-encoding") == "gzip"
    try:
        value = json.loads((gzip.decompress(request.body) if packed else request.body) or b"{}")
    except (ValueError, OSError) as exc:
        raise bad_request(f"the body is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise bad_request("the body is not a JSON object")
    return value


def _success(data: dict[str, Any] | None) -> Response:
    return json_response({"data": data, "code": None, "message": None, "success": True})


def _failure(code: str, message: str, data: dict[str, Any] | None = None) -> Response:
    return json_response({"data": data, "code": code, "message": message, "success": False})


def _refused(refusal: Refusal) -> Response:
    if refusal.status in ENVELOPED:
        return _failure(refusal.code, refusal.message)
    return json_response({"code": refusal.code, "message": refusal.message, "success": False}, refusal.status)


def _upper(name: str | None) -> str | None:
    return name.upper().strip('"') if name else None
