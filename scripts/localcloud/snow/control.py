"""The admin side of the server: one POST per verb, the arguments as a JSON object. `admin.SnowAdmin` is its client."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from scripts.localcloud.snow.http.faults import Fault
from scripts.localcloud.snow.http.refusal import Refusal, bad_request
from scripts.localcloud.snow.http.wire import Request, Response, json_response
from scripts.localcloud.snow.service import Service
from scripts.localcloud.snow.tables.catalog import folded
from scripts.localcloud.snow.tables.column import BinaryFormat, column
from scripts.localcloud.snow.tables.ddl import create_table
from scripts.localcloud.snow.tables.warehouse import Table


class Control:
    """Every `_do_…` method is a verb of the admin API; its keywords are the arguments, its result the answer."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def handle(self, request: Request) -> Response:
        """Answer one admin call."""
        try:
            result = self._verb(request)(**request.json())
            if asyncio.iscoroutine(result):
                result = await result
        except Refusal as refusal:
            return json_response({"code": refusal.code, "message": refusal.message}, refusal.status)
        except (TypeError, ValueError, duckdb.Error) as exc:
            return json_response({"code": "INVALID_REQUEST", "message": str(exc)}, HTTPStatus.BAD_REQUEST)
        return Response(HTTPStatus.OK, json.dumps({"result": result}, default=_plain).encode())

    def _verb(self, request: Request) -> Callable[..., Any]:
        name = request.segments[-1] if request.segments else ""
        verb: Callable[..., Any] | None = getattr(self, f"_do_{name}", None)
        if request.method != "POST" or verb is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"no verb {name!r}")
        return verb

    # -- what exists --

    def _do_register_user(self, account: str, user: str, public_key: str, roles: list[str]) -> str:
        return self._service.identities.register(account, user, public_key, roles)

    def _do_register_client(
        self, client_id: str, client_secret: str, account: str, user: str, scopes: list[str]
    ) -> None:
        self._service.identities.authorization.register(client_id, client_secret, f"{account}.{user}", scopes)

    def _do_create_table(
        self, statement: str | None = None, name: list[str] | None = None, columns: list[list[Any]] | None = None
    ) -> bool:
        if statement is not None:
            parts, declared, options = create_table(statement)
            name = list(parts) if len(parts) == len(("database", "schema", "table")) else name
        else:
            declared = [column(one, kind, nullable=nullable) for one, kind, nullable in columns or []]
            options = frozenset()
        if not name or not declared:
            raise bad_request("a table needs a three-part name and columns")
        database, schema, table = name
        made = Table(database, schema, table, tuple(declared), options)
        self._service.warehouse.create(made)
        return self._service.catalog.add(made)

    def _do_drop_table(self, database: str, schema: str, table: str) -> None:
        self._service.warehouse.drop(self._service.catalog.remove((database, schema, table)))

    def _do_create_pipe(self, database: str, schema: str, pipe: str, table: str, definition: str = "") -> None:
        self._service.catalog.add_pipe(folded(database, schema, pipe), (database, schema, table), definition)

    def _do_drop_pipe(self, database: str, schema: str, pipe: str) -> None:
        self._service.catalog.drop_pipe((database, schema, pipe))

    async def _do_query(self, sql: str, database: str | None, schema: str | None) -> dict[str, Any]:
        return asdict(await asyncio.to_thread(self._service.warehouse.query, sql, database, schema))

    def _do_channels(self) -> list[dict[str, Any]]:
        return [channel.facts() for channel in self._service.named(None)]

    def _do_counts(self) -> dict[str, dict[str, int]]:
        service = self._service
        stored = {"stage": service.stage.count}
        return {"answers": dict(service.calls.answers), "fired": dict(service.faults.fired), "stored": stored}

    # -- who may do what --

    def _do_revoke(self, privilege: str, on: str, role: str) -> None:
        self._service.privileges.revoke(privilege, on, role)

    def _do_grant(self, privilege: str, on: str, role: str) -> None:
        self._service.privileges.grant(privilege, on, role)

    def _do_allow_hybrid_tables(self, allowed: bool) -> None:
        self._service.database.engine.definitions.hybrid_tables = allowed

    # -- how it behaves --

    def _do_delay_evolution(self, seconds: float) -> None:
        self._service.evolution.delay_s = seconds

    def _do_set_commit_delay(self, seconds: float) -> None:
        self._service.pace.set_delay(seconds)

    def _do_set_token_lifetime(self, seconds: float) -> None:
        self._service.identities.scoped.lifetime_s = seconds

    def _do_set_access_token_lifetime(self, seconds: float) -> None:
        self._service.identities.authorization.tokens.lifetime_s = seconds

    def _do_set_payload_limit(self, size: int) -> None:
        self._service.max_wire_bytes = size

    def _do_set_binary_format(self, binary: BinaryFormat) -> None:
        self._service.load_options = replace(self._service.load_options, binary=binary)

    def _do_set_stage_lifetime(self, seconds: float) -> None:
        self._service.stage.credentials.lifetime_s = seconds

    def _do_set_stage_endpoint(self, endpoint: str) -> None:
        self._service.stage.endpoint = endpoint

    def _do_use_defaults(self, used: bool) -> None:
        self._service.load_options = replace(self._service.load_options, uses_defaults=used)

    def _do_regard_case(self, regarded: bool) -> None:
        self._service.load_options = replace(self._service.load_options, is_case_sensitive=regarded)

    def _do_set_time_zone(self, name: str) -> None:
        self._service.load_options = replace(self._service.load_options, time_zone=ZoneInfo(name).key)

    def _do_limit_shown(self, rows: int) -> None:
        self._service.database.engine.most_shown = rows

    def _do_limit_channels(self, requests_per_s: float | None, bytes_per_s: float | None) -> None:
        self._service.limits.set_channels(requests_per_s, bytes_per_s)

    def _do_limit_control_calls(self, per_s: float) -> None:
        self._service.limits.set_control(per_s)

    def _do_set_session_lifetime(self, seconds: float) -> None:
        self._service.database.sessions.lifetime_s = seconds

    def _do_set_idle_transaction(self, seconds: float) -> None:
        self._service.database.idle_transaction_s = seconds

    # -- what is broken --

    def _do_arm(self, **fault: Any) -> None:
        self._service.faults.arm(Fault(**fault))

    async def _do_clear_faults(self) -> None:
        await self._service.heal()

    def _do_expire_tokens(self) -> None:
        self._service.identities.scoped.expire()
        self._fired("expire_tokens")

    def _do_expire_stage_credentials(self) -> None:
        self._service.stage.credentials.expire()
        self._fired("expire_stage_credentials")

    def _do_open_invalid(self, code: str, times: int) -> None:
        self._service.opened_with += [code] * times

    def _do_set_open_duration(self, seconds: float) -> None:
        self._service.open_duration_s = seconds

    def _do_expire_access_tokens(self) -> None:
        self._service.identities.authorization.tokens.expire()
        self._fired("expire_access_tokens")

    def _do_expire_sessions(self, master: bool) -> None:
        self._service.database.sessions.expire(master=master)
        self._fired("expire_sessions")

    async def _do_hold_lock(self, database: str, schema: str, table: str) -> None:
        await self._service.database.hold(folded(database, schema, table))
        self._fired("hold_lock")

    async def _do_release_locks(self) -> None:
        await self._service.database.let_go()

    def _do_stall_commits(self, channel: str | None) -> None:
        self._service.pace.stall(channel)
        self._fired("stall_commits")

    def _do_release_commits(self) -> None:
        self._service.pace.release()

    def _do_freeze_token(self, channel: str | None) -> None:
        self._service.freeze_tokens(channel)

    def _do_thaw_tokens(self) -> None:
        self._service.thaw_tokens()

    def _do_set_token(self, channel: str, token: str | None) -> None:
        for one in self._service.named(channel):
            one.token = token
        self._fired("set_token")

    def _do_invalidate(self, channel: str, code: str) -> None:
        for one in self._service.named(channel):
            one.invalidate(code)
        self._fired("invalidate")

    def _do_reject_rows(self, rows: int, channel: str | None) -> None:
        self._service.reject_rows(rows, channel)

    def _do_delay_counts(self, seconds: float, message_seconds: float, in_steps: bool) -> None:
        self._service.lateness.set(seconds, message_seconds, in_steps=in_steps)

    def _do_hold_counts(self) -> None:
        self._service.lateness.hold()

    async def _do_delete_channel(self, channel: str) -> None:
        for one in self._service.named(channel):
            await self._service.forget(one)
        self._fired("delete_channel")

    async def _do_steal(self, channel: str, opener: str) -> None:
        for one in self._service.named(channel):
            await one.open(opener)
        self._fired("steal")

    def _fired(self, kind: str) -> None:
        self._service.faults.fired[kind] += 1


def _plain(value: object) -> object:
    """Write a NUMBER as an integer of any size, or as text when it has a fraction."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    raise TypeError(f"a result of type {type(value).__name__}; cast it in the query")
