"""`python -m scripts.chaos.hosts.rehearsal`: a host is made, cut off and connected again, all within a second."""

import sys
from contextlib import closing

from scripts.chaos.hosts.network import Network
from scripts.chaos.hosts.unshare import NotPossible


def main() -> int:
    """Exit 0 when everything that the chaos run needs may be done here, 1 with the reason when not."""
    try:
        with closing(Network()) as network:
            link = network.add("host").link
            link.cut("out", None)
            link.restore("out", None)
            link.slow_down()
            link.speed_up()
    except (NotPossible, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
