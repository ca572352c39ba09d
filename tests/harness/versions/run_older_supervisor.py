"""A supervisor that asks for the hub's partitions only once.

`python -m tests.harness.versions.run_older_supervisor start`
"""


def main() -> None:
    """Run the command line. Workers import this module too, and need nothing of it."""
    from supervisor import __main__
    from supervisor.commands import start
    from supervisor.ownership.partition_discovery import PartitionDiscovery
    from tests.harness.versions.older_supervisor import OlderLeases

    setattr(start, "Leases", OlderLeases)  # noqa: B010
    setattr(PartitionDiscovery, "start", lambda _: None)  # noqa: B010
    __main__.main()


if __name__ == "__main__":
    main()
