"""What helps against a cause that many errors share."""

import pytest

from shared.fixes import trust


@pytest.mark.parametrize("why", ["certificate is not yet valid", "certificate verify failed: certificate has expired"])
def test_a_certificate_of_another_time_may_be_a_wrong_clock(why: str) -> None:
    for fix in (trust(why), trust(why, "Set EVENTHUB_CA_FILE.")):
        assert "Set the clock of this host" in fix
        assert "CA_FILE" not in fix


def test_any_other_certificate_is_a_question_of_trust() -> None:
    assert "SNOWFLAKE_CA_FILE" in trust("unable to get local issuer certificate")
    assert trust("self-signed certificate", "Set EVENTHUB_CA_FILE.") == "Set EVENTHUB_CA_FILE."
