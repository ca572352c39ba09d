"""The flights: 27,004 departures from New York City in January 2013, each as the JSON body of one event.

`scripts/demo/extract.py` says where they come from and makes the files anew.
"""

import csv
import lzma
from pathlib import Path

import msgspec

FLIGHTS = Path(__file__).with_name("flights.csv.xz")
AIRLINES = Path(__file__).with_name("airlines.csv")
COLUMNS = (
    "day",
    "sched_dep_time",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "dep_delay",
    "arr_delay",
    "air_time",
    "distance",
)
TABLE = (
    "N NUMBER(10,0)",
    "SCHEDULED VARCHAR",
    "CARRIER VARCHAR",
    "FLIGHT NUMBER(10,0)",
    "TAIL VARCHAR",
    "ORIGIN VARCHAR",
    "DESTINATION VARCHAR",
    "DEPARTURE_DELAY NUMBER(10,0)",
    "ARRIVAL_DELAY NUMBER(10,0)",
    "AIR_TIME NUMBER(10,0)",
    "DISTANCE NUMBER(10,0)",
)
"""A column for each key of a flight."""


class Flight(msgspec.Struct, frozen=True):
    """One departure. `n` counts all of them; delays and time in the air are minutes, None for a cancelled flight."""

    n: int
    scheduled: str
    """Local time of New York, ISO 8601."""
    carrier: str
    flight: int
    tail: str | None
    origin: str
    destination: str
    departure_delay: int | None
    arrival_delay: int | None
    air_time: int | None
    distance: int
    """Miles."""

    @property
    def route(self) -> str:
        """The partition key: all flights of a route are in one partition, in order."""
        return f"{self.origin}-{self.destination}"

    @property
    def body(self) -> bytes:
        """The event's body."""
        return msgspec.json.encode(self)


def flights(limit: int | None = None) -> list[Flight]:
    """The first `limit` flights of the month, or all of them, in the order of schedule."""
    with lzma.open(FLIGHTS, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [_flight(n, row) for n, row in enumerate(rows[:limit], start=1)]


def airlines() -> dict[str, str]:
    """The names of the carriers by code."""
    with AIRLINES.open(encoding="utf-8", newline="") as file:
        return {row["carrier"]: row["name"] for row in csv.DictReader(file)}


def _flight(n: int, row: dict[str, str]) -> Flight:
    hour, minute = divmod(int(row["sched_dep_time"]), 100)
    return Flight(
        n=n,
        scheduled=f"2013-01-{int(row['day']):02}T{hour:02}:{minute:02}",
        carrier=row["carrier"],
        flight=int(row["flight"]),
        tail=row["tailnum"] or None,
        origin=row["origin"],
        destination=row["dest"],
        departure_delay=_number(row["dep_delay"]),
        arrival_delay=_number(row["arr_delay"]),
        air_time=_number(row["air_time"]),
        distance=int(row["distance"]),
    )


def _number(text: str) -> int | None:
    return int(text) if text else None
