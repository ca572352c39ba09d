"""Whether the cloud storage of the stage can be reached. Under load the streaming SDK uploads rows there as files.

The hosts are those of type STAGE in https://docs.snowflake.com/en/sql-reference/functions/system_allowlist.
"""

import json
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from shared.errors import SinkUnavailable
from shared.fixes import trust
from shared.snowflake.tls_probe import is_behind_proxy, probe_tls
from supervisor.check.runner import Outcome

_LET_THROUGH = "Let evsup reach it on this port (firewall, proxy, private endpoint): under load rows go there as files."
_EXEMPT = "Or have the proxy exempt the host."


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the cloud storage behind the stage."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


def stage_hosts(allowlist: str) -> list[Host]:
    """The hosts of type STAGE in the JSON array that SYSTEM$ALLOWLIST returns; none when it is not such an array."""
    try:
        listed = json.loads(allowlist)
        stages = [one for one in listed if one["type"] == "STAGE"]
        return list(dict.fromkeys(Host(str(one["host"]), int(one.get("port", 443))) for one in stages))
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def storage_outcome(hosts: Sequence[Host], ca_file: str | None) -> Outcome:
    """Whether the hosts answer a TLS handshake. Raises `SinkUnavailable` when none does, because rows may need any."""
    named = ", ".join(map(str, hosts))
    if not hosts:
        return Outcome("the account does not say where its stage is", "skipped")
    if is_behind_proxy():
        return Outcome(f"not tried behind a proxy, which has to let through {named}", "skipped")
    with ThreadPoolExecutor(len(hosts)) as pool:
        problems = dict(zip(hosts, pool.map(partial(_problem, ca_file=ca_file), hosts), strict=True))
    failed = "; ".join(f"{host}: {problem}" for host, problem in problems.items() if problem)
    if not failed:
        return Outcome(f"{named} answers" if len(hosts) == 1 else f"{named} answer")
    untrusted = any(isinstance(problem, ssl.SSLCertVerificationError) for problem in problems.values())
    fix = f"{trust(failed)} {_EXEMPT}" if untrusted else _LET_THROUGH
    if all(problems.values()):
        raise SinkUnavailable("The cloud storage of the stage cannot be reached", failed, fix)
    return Outcome(failed, "warn", fix)


def _problem(host: Host, ca_file: str | None) -> OSError | None:
    try:
        probe_tls(host.name, host.port, ca_file)
    except OSError as error:
        return error
    return None
