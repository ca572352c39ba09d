"""Rules of `EVSUP_*`, and of what libraries read from the environment."""

import os
import re
from collections.abc import Iterator

from shared import mapper
from shared.config.faults import Fault
from shared.config.formats import endpoint
from shared.config.formats.files import bytes_of
from shared.config.settings import Settings

# The path of a Unix socket holds 107 bytes (https://man7.org/linux/man-pages/man7/unix.7.html), the file's own name
# among them.
LONGEST_STATE_DIR = 80
# Where requests looks for certificate authorities: the connector, azure-identity and the collector's exporter use it.
# https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification
CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
HOST_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)


def state_dir_holds_a_socket(settings: Settings) -> Iterator[Fault]:
    """The path is a directory, or nothing yet (it is created), and leaves room for the socket's name."""
    path = settings.process.state_dir
    if path is None:
        return
    if len(os.fsencode(path)) > LONGEST_STATE_DIR:
        yield Fault("EVSUP_STATE_DIR", f"is longer than {LONGEST_STATE_DIR} bytes, too long for a Unix socket in it")
    elif os.path.isfile(path):  # noqa: PTH113 (pathlib raises where a parent may not be read)
        yield Fault("EVSUP_STATE_DIR", "is a file; a directory is needed")


def http_address_can_be_listened_on(settings: Settings) -> Iterator[Fault]:
    """The address is well-formed. Whether the port is free shows when it is bound."""
    if settings.process.http_address is None:
        return
    try:
        endpoint.parse_listening(settings.process.http_address)
    except ValueError as error:
        yield Fault("EVSUP_HTTP_ADDRESS", str(error))


def http_hosts_are_names(settings: Settings) -> Iterator[Fault]:
    """Each is a whole name: a part of one, or a `*`, would let in whoever can register a name like it."""
    if not all(map(HOST_NAME.fullmatch, settings.process.http_names)):
        yield Fault("EVSUP_HTTP_HOSTS", "must be names of hosts with commas between, each without a port or a *")


def mapper_is_a_path(settings: Settings) -> Iterator[Fault]:
    """The mapper is named as a path. Whether it can be imported shows at the start: a setting runs no code."""
    path = settings.process.mapper
    if path and (reason := mapper.problem(path)):
        yield Fault("EVSUP_MAPPER", reason)


def ca_bundle_of_the_environment_is_there(_: Settings) -> Iterator[Fault]:
    """The bundle can be read. Libraries would fail without it, each in words of its own, and name no variable."""
    name = next((name for name in CA_BUNDLES if os.environ.get(name)), None)
    if name is None or os.path.isdir(os.environ[name]):  # noqa: PTH112 (pathlib raises where a parent may not be read)
        return
    try:
        bytes_of(os.environ[name], most_bytes=1)
    except ValueError as error:
        yield Fault(name, f"{error}; certificate authorities are looked for there: correct or unset it")


def http_stays_on_this_host(settings: Settings) -> Iterator[str]:
    """Warn of an address that other hosts can reach: the server has no authentication."""
    text = settings.process.http_address
    if text and not endpoint.parse_listening(text).ip.is_loopback:
        yield f"EVSUP_HTTP_ADDRESS={text} lets other hosts in, without authentication: a firewall should say which"


def http_hosts_are_asked_for(settings: Settings) -> Iterator[str]:
    """Warn of names without an address that they could be the names of."""
    if settings.process.http_hosts and not settings.process.http_address:
        yield "EVSUP_HTTP_HOSTS is not used without EVSUP_HTTP_ADDRESS"


RULES = (
    (state_dir_holds_a_socket, ("EVSUP_STATE_DIR",)),
    (http_address_can_be_listened_on, ("EVSUP_HTTP_ADDRESS",)),
    (http_hosts_are_names, ("EVSUP_HTTP_HOSTS",)),
    (mapper_is_a_path, ("EVSUP_MAPPER",)),
    (ca_bundle_of_the_environment_is_there, ()),
)
CAUTIONS = (http_stays_on_this_host, http_hosts_are_asked_for)
