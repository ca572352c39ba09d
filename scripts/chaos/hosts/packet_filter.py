"""Programs for the kernel's classic packet filter, which drop the packets of a link that are to be lost.

`tc` takes them as text, and a kernel with `cls_bpf` runs them (https://man7.org/linux/man-pages/man8/tc-bpf.8.html).
"""

from ipaddress import IPv4Address
from typing import Literal

Direction = Literal["out", "in"]
"""Of packets: out of the host, or in."""

# Offsets in an Ethernet frame with IPv4, codes of instructions, and the word that is another random number each time
# (linux/filter.h).
ETHERTYPE, SOURCE, DESTINATION, IPV4 = 12, 26, 30, 0x0800
LOAD_HALF, LOAD_WORD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x28, 0x20, 0x15, 0x35, 0x06
RANDOM = 2**32 - 0x1000 + 56
DROP, NEXT_FILTER = 2, 2**32 - 1  # linux/pkt_cls.h: TC_ACT_SHOT, TC_ACT_UNSPEC


def dropping(direction: Direction, peer: str | None, share: float = 1.0) -> str:
    """A program that drops this share of the IPv4 packets to or from `peer`, or of all."""
    tests = [((LOAD_HALF, ETHERTYPE), (IF_EQUAL, IPV4))]
    if peer:
        offset = DESTINATION if direction == "out" else SOURCE
        tests.append(((LOAD_WORD, offset), (IF_EQUAL, int(IPv4Address(peer)))))
    if share < 1.0:
        tests.append(((LOAD_WORD, RANDOM), (IF_AT_LEAST, int((1.0 - share) * 2**32))))
    return _text(tests)


def _text(tests: list[tuple[tuple[int, int], tuple[int, int]]]) -> str:
    """Drop when every comparison holds; the first one that does not jumps to the end."""
    lines, last = [], 2 * len(tests) + 1
    for number, ((load, offset), (compare, value)) in enumerate(tests):
        lines += [f"{load} 0 0 {offset}", f"{compare} 0 {last - 2 * number - 2} {value}"]
    lines += [f"{RETURN} 0 0 {DROP}", f"{RETURN} 0 0 {NEXT_FILTER}"]
    return ",".join([f"{len(lines)}", *lines])
