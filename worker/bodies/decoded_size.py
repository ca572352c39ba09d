"""How large a body may become when it is decoded: what is larger was made to fill the memory.

The bound is the same for all that makes a body longer: compression, Avro, and one within the other.
"""

LARGEST = 20 * 1024 * 1024  # bytes: as large as an event that is sent as it is
LARGEST_RATIO = 200  # of the decoded length to the length as it came; text that repeats itself has 20, a bomb 1,000
ALWAYS_ALLOWED = 64 * 1024  # bytes: a short text that repeats itself has any ratio


def most_bytes(length: int) -> int:
    """The bound of a body of that length."""
    return min(LARGEST, max(ALWAYS_ALLOWED, LARGEST_RATIO * length))
