import os
from pathlib import Path

import certifi
import pytest

from shared import ca_bundle
from shared.ca_bundle import VARIABLE, trust
from shared.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")


def bundle() -> str:
    return Path(os.environ[VARIABLE]).read_text()


def test_a_users_authority_is_trusted_beside_the_public_ones(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("mine")
    trust(str(tmp_path / "ca.pem"))
    assert bundle() == Path(certifi.where()).read_text() + "\nmine"


def test_what_the_user_trusts_already_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proxy.pem").write_text("the proxy's")
    (tmp_path / "ca.pem").write_text("mine")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "proxy.pem"))
    for _ in range(2):
        trust(str(tmp_path / "ca.pem"))
    assert bundle() == "the proxy's\nmine"


def test_two_authorities_are_trusted_together_and_each_is_added_once(tmp_path: Path) -> None:
    (tmp_path / "hub.pem").write_text("the hub's")
    (tmp_path / "table.pem").write_text("the table's")
    for name in ("hub.pem", "table.pem") * 2:
        trust(str(tmp_path / name))
    assert bundle() == Path(certifi.where()).read_text() + "\nthe hub's\nthe table's"


def test_where_nothing_is_mounted_on_proc_an_authority_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca_bundle, "PROC", tmp_path / "proc")
    with pytest.raises(ConfigurationError, match="Mount /proc"):
        trust("ca.pem")
    assert os.environ[VARIABLE] == ""
