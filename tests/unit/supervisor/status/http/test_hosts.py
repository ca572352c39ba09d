"""Which names a server answers to: what scrapes, probes and tunnels send, and what a web site cannot have."""

import socket

import pytest

from supervisor.status.http.hosts import Hosts, hosts_of
from tests.harness.services.ports import free_port

HERE = Hosts("host1.corp.example", frozenset({"ops.example"}))
ANYWHERE = Hosts("host1.corp.example", frozenset({"ops.example"}), is_loopback=False)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1",
        "10.4.0.7",
        "::1",
        "fe80::1%25eth0",
        "localhost",
        "evsup.localhost",
        "host1.corp.example",
        "ops.example",
    ],
)
def test_an_address_localhost_the_own_name_and_those_of_the_setting_are_names(host: str) -> None:
    assert HERE.include(host)
    assert ANYWHERE.include(host)


@pytest.mark.parametrize(
    "host",
    [
        "evsup",
        "host1",
        "host1.prod.example",
        "evsup.flights.svc",
        "evsup.flights.svc.cluster.local",
        "vm.ec2.internal",
        "nas.home.arpa",
    ],
)
def test_a_private_name_is_one_only_where_the_network_may_connect_as_well(host: str) -> None:
    assert ANYWHERE.include(host)
    assert not HERE.include(host)


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "127.0.0.1.rebound.example",
        "localhost.rebound.example",
        "notlocalhost.example",
        "www.ops.example",
        "host1x.example",
        "svc.example",
        "127.0.0.1.nip.io",
        "256.0.0.1",
    ],
)
def test_a_name_that_a_web_site_can_have_is_none(host: str) -> None:
    assert not HERE.include(host)
    assert not ANYWHERE.include(host)


@pytest.mark.parametrize(("address", "is_loopback"), [("127.0.0.1", True), ("::1", True), ("::", False)])
def test_a_socket_says_who_can_reach_it(address: str, is_loopback: bool) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, free_port()), family=family) as listener:
        hosts = hosts_of(listener, ["Ops.Example"])
    assert hosts == Hosts(socket.gethostname().lower(), frozenset({"ops.example"}), is_loopback)
