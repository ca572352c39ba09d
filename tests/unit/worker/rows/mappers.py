"""Mappers as users write them, good ones and bad ones."""

import asyncio
import json
import math
from collections import UserDict
from datetime import UTC, datetime, tzinfo
from typing import Any, NoReturn

from shared.mapper import Event, Row

EVERY_COLUMN: dict[str, Any] = {
    "PAYLOAD": {"m": [1, None]},
    "PROPERTIES": {"a": 1},
    "SYSTEM_PROPERTIES": {"b": 2},
    "PARTITION_KEY": "k",
    "CONTENT_TYPE": "c",
    "MESSAGE_ID": "m",
    "CORRELATION_ID": "r",
    "DECODE_ERROR": "e",
}
remembered: list[Event] = []
given: Row = {}
"""What `as_given` returns."""


def remember(event: Event) -> Row:
    remembered.append(event)
    return {"PAYLOAD": None}


def as_given(event: Event) -> Row:
    return given


def one_column(event: Event) -> Row:
    return {"PAYLOAD": {"m": 1}}


def every_column(event: Event) -> Row:
    return EVERY_COLUMN | {"RAW_BODY": b"\xff\x00"}


def with_nulls(event: Event) -> Row:
    return {"PAYLOAD": None, "PROPERTIES": None, "RAW_BODY": None, "CONTENT_TYPE": None}


def nothing(event: Event) -> Row:
    return {}


def raw_body_alone(event: Event) -> Row:
    return {"RAW_BODY": b"\xff\x00"}


def raw_body_and_none(event: Event) -> Row:
    return {"RAW_BODY": b"\xff\x00", "PAYLOAD": None}


def gives_none(event: Event) -> None:
    return None


def gives_a_list(event: Event) -> list[Any]:
    return [event.value]


def gives_text(event: Event) -> str:
    return "{}"


def unknown_column(event: Event) -> Row:
    return {"N": 1, "PAYLOAD": 1, "FLIGHT": 2}


def small_letters(event: Event) -> Row:
    return {"payload": 1}


def own_column(event: Event) -> Row:
    return {"SEQUENCE_NUMBER": 1, "OFFSET": "2"}


def number_as_a_column(event: Event) -> dict[Any, Any]:
    return {1: 2}


def name_of_no_text(event: Event) -> Row:
    return {"N\ud800": 1}


class _NoZone(tzinfo):
    def utcoffset(self, _: datetime | None) -> NoReturn:
        raise LookupError

    dst = tzname = utcoffset


class _NoItems(UserDict[str, Any]):
    def items(self) -> NoReturn:
        raise LookupError


class _Leaves(UserDict[str, Any]):
    def items(self) -> NoReturn:
        raise SystemExit(0)


def value_that_raises(event: Event) -> Row:
    return {"PAYLOAD": datetime.now(UTC).replace(tzinfo=_NoZone())}


def mapping_that_raises(event: Event) -> Row:
    return _NoItems()


def mapping_that_leaves(event: Event) -> Row:
    return _Leaves()


def not_a_number(event: Event) -> Row:
    return {"PAYLOAD": {"a": [1.5, {math.nan}]}}


def infinity(event: Event) -> Row:
    return {"PROPERTIES": {"a": -math.inf, "b": None}}


def value_of_no_json(event: Event) -> Row:
    return {"PROPERTIES": {"a": object()}}


def endless_value(event: Event) -> Row:
    endless: list[Any] = []
    endless.append(endless)
    return {"PAYLOAD": endless}


def long_integer(event: Event) -> Row:
    return {"PAYLOAD": 10**38}


def nul(event: Event) -> Row:
    return {"CONTENT_TYPE": "\0"}


def raises(event: Event) -> Row:
    return {"PAYLOAD": event.value["no such key"]}  # raises


def raises_within(event: Event) -> Row:
    return {"PAYLOAD": _divided(event)}


def _divided(event: Event) -> float:
    return 1 / 0  # raises_within


def raises_in_a_library(event: Event) -> Row:
    return {"PAYLOAD": json.loads("secret")}  # raises_in_a_library


def leaves(event: Event) -> NoReturn:
    raise SystemExit(str(event.value))  # leaves


def is_cancelled(event: Event) -> NoReturn:
    raise asyncio.CancelledError  # is_cancelled


def no_memory(event: Event) -> NoReturn:
    raise MemoryError
