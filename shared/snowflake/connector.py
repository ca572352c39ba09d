"""What the installed version of Snowflake's connector is given at a login.

Version 5 is a rewrite in Rust, with other names for what limits it and for who is trusted:
https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-upgrade
"""

import logging
import os
from pathlib import Path

from shared import ca_bundle

LOGIN_S = 20  # for a login, with all its retries
LONGEST_SILENCE_S = 60  # of a socket; a statement that runs longer is asked after every 45 s

Options = dict[str, object]


def options(version: str, call_s: int, ca_file: str | None) -> Options:
    """Arguments of `connect` that differ between versions: a statement ends within `call_s`, and `ca_file` is trusted
    beside the public authorities.
    """
    # It logs, with a traceback, what it raises as well when an outage ends its retries. Whoever called says it.
    logging.getLogger("snowflake.connector.network").setLevel(logging.CRITICAL)
    if ca_file:
        ca_bundle.trust(ca_file)
    silence_s = _silence_s(call_s)
    return _of_4(call_s, silence_s) if int(version.split(".", maxsplit=1)[0]) < 5 else _of_5(call_s, silence_s)


def longest_s(call_s: int) -> float:
    """Within this time a connector has given up a call that may be tried for `call_s`: its last try meets silence."""
    return call_s + _silence_s(call_s)


def _silence_s(call_s: int) -> int:
    return min(call_s, LONGEST_SILENCE_S)


def _of_4(call_s: int, silence_s: int) -> Options:
    """It reads the bundle of `ca_bundle` by itself."""
    return {
        "login_timeout": LOGIN_S,
        "network_timeout": call_s,
        "socket_timeout": silence_s,
        "platform_detection_timeout_seconds": 0.0,  # else it asks the metadata services of three clouds
        "log_imported_packages_in_telemetry": False,  # else it reports which packages this process has
    }


def _of_5(call_s: int, silence_s: int) -> Options:
    """It does not read the bundle of `ca_bundle` by itself; without one it trusts the system's authorities."""
    bundle = os.environ.get(ca_bundle.VARIABLE, "")
    trusted = {"custom_root_store_path": bundle} if Path(bundle).is_file() else {}
    return trusted | {
        "login_timeout": LOGIN_S,
        "query_timeout": call_s,
        "request_timeout": call_s,
        "connect_timeout": silence_s,
        "retry_timeout": silence_s,
        "platform_detection_timeout_seconds": 0.0,
        "enable_server_session_keep_alive_auto_detection": False,  # the default is about to change, and warns of it
    }
