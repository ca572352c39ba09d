"""How a worker keeps its memory: what a stream of events does to Python's collector and to the C library's heap."""

import ctypes
import gc
from contextlib import suppress

# Decoding events allocates containers that hardly ever form cycles. Measured: the collector costs 5 µs an event at the
# default of 700, 1.2 at 10,000 and next to nothing at 50,000; what waits for it then is bounded by some 10 MB.
# https://docs.python.org/3/library/gc.html#gc.freeze
GC_THRESHOLD = 50_000
# A block of this size and more goes back to the system when it is freed. By itself glibc raises this limit to the
# largest block freed so far, and keeps the rest in a heap for each thread: a worker at full speed grew by 14 MB with
# every link, whose tables of delivery tags are 8 MB each. https://man7.org/linux/man-pages/man3/mallopt.3.html
MMAP_THRESHOLD_BYTES = 1024 * 1024
_M_MMAP_THRESHOLD = -3


def settle() -> None:
    """Call once, when all that lives as long as the process has been made."""
    with suppress(AttributeError):  # a C library without mallopt, such as musl
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def give_back() -> None:
    """Free what died in cycles, such as a client of the Azure SDK: by itself the collector hardly ever looks so far."""
    gc.collect()
