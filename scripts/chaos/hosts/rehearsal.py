"""`python -m scripts.chaos.hosts.rehearsal`: a host is made, cut off and connected again, all within a second.

Exit code 0: everything that the chaos run needs may be done here. Else the reason is on stderr.
"""

from contextlib import closing

from scripts.chaos.hosts.network import Network
from scripts.command_line import run


def main() -> int:
    """Do each kind of thing once. Raises NotPossible, or OSError where a program is missing."""
    with closing(Network()) as network:
        link = network.add("host").link
        link.cut("out", None)
        link.restore("out", None)
        link.slow_down()
        link.speed_up()
    return 0


if __name__ == "__main__":
    run(main)
