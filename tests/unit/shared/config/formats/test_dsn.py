import pytest

from shared.config.formats.dsn import parse
from shared.config.settings import ControlSettings
from shared.control.open import open_database
from shared.errors import ConfigurationError
from shared.log.secret import Secret


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:hush@er@host/db",
        "postgresql://u:hush/er@host/db",
        "postgresql://u:12/hush@host/db",
        "postgresql://u:hush%zz@host/db",
        "host=h hush word=3",
        "host=h pasword=hush",
        "password='hush er host=h",
    ],
)
def test_a_text_that_libpq_splits_wrongly_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(Secret(text))
    assert "hush" not in f"{caught.value} {caught.value!r}"
    assert caught.value.__suppress_context__


def test_the_address_is_shown_without_user_and_password() -> None:
    assert parse(Secret("postgresql://u:hush@h:6432/db?sslmode=require")).address == "h:6432/db"
    assert parse(Secret("host=a,b port=1,2 password=hush")).address == "a,b:1,2"
    assert parse(Secret("dbname=db")).address == "the local socket/db"


def test_what_the_user_says_is_not_overruled() -> None:
    conninfo = parse(Secret("postgresql://h/db?connect_timeout=30&application_name=mine")).conninfo.reveal()
    assert "connect_timeout=30" in conninfo
    assert "application_name=mine" in conninfo
    assert "keepalives_idle=10" in conninfo


def test_a_password_is_masked_in_what_others_say() -> None:
    dsn = parse(Secret("postgresql://u:hush@h/db"))
    assert dsn.masked("it was\n  hush, they say") == "it was ***, they say"
    assert "hush" not in repr(dsn)


def test_postgres_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="CONTROL_POSTGRES_DSN"):
        open_database(ControlSettings(store="postgres"))
