"""Every form of an account that people paste is the same account, or is refused with what to type."""

import pytest

from shared.config.formats import account
from shared.config.formats.account import Account


@pytest.mark.parametrize(
    ("text", "name", "host"),
    [
        ("myorg-acc", "myorg-acc", "myorg-acc.snowflakecomputing.com"),
        ("MYORG-MY_ACCOUNT", "MYORG-MY_ACCOUNT", "myorg-my-account.snowflakecomputing.com"),
        ("MYORG.MY_ACCOUNT", "MYORG-MY_ACCOUNT", "myorg-my-account.snowflakecomputing.com"),
        ("MYORG.ACC.privatelink", "MYORG-ACC", "myorg-acc.privatelink.snowflakecomputing.com"),
        ("myorg-acc.privatelink", "myorg-acc", "myorg-acc.privatelink.snowflakecomputing.com"),
        ("XY12345", "XY12345", "xy12345.snowflakecomputing.com"),
        ("xy12345.eu-west-1", "xy12345", "xy12345.eu-west-1.snowflakecomputing.com"),
        ("xy12345.west-europe.azure", "xy12345", "xy12345.west-europe.azure.snowflakecomputing.com"),
        ("xy12345.us-east-2.aws.privatelink", "xy12345", "xy12345.us-east-2.aws.privatelink.snowflakecomputing.com"),
        ("xy12345.cn-northwest-1.aws", "xy12345", "xy12345.cn-northwest-1.aws.snowflakecomputing.cn"),
        ("acme-ab12.global", "acme", "acme-ab12.global.snowflakecomputing.com"),
        ("myorg-acc.snowflakecomputing.com", "myorg-acc", "myorg-acc.snowflakecomputing.com"),
        ("https://MYORG-MY_ACC.SnowflakeComputing.com/", "MYORG-MY_ACC", "myorg-my-acc.snowflakecomputing.com"),
        ("https://myorg-acc.snowflakecomputing.com/console/login#/", "myorg-acc", "myorg-acc.snowflakecomputing.com"),
        ("https://myorg-acc.snowflakecomputing.cn", "myorg-acc", "myorg-acc.snowflakecomputing.cn"),
        (
            "xy12345.west-europe.azure.snowflakecomputing.com",
            "xy12345",
            "xy12345.west-europe.azure.snowflakecomputing.com",
        ),
        ("https://app.snowflake.com/myorg/my_acc/#/homepage", "myorg-my_acc", "myorg-my-acc.snowflakecomputing.com"),
        ("https://app.snowflake.cn/myorg/acc/#/homepage", "myorg-acc", "myorg-acc.snowflakecomputing.cn"),
        ("https://app.snowflake.com/eu-west-1/xy12345/w1", "xy12345", "xy12345.eu-west-1.snowflakecomputing.com"),
    ],
)
def test_an_account_is_known_in_each_form_that_is_pasted(text: str, name: str, host: str) -> None:
    assert account.parse(text) == Account(name, host)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ORGANIZATION-ACCOUNT"),
        ("my org", "ORGANIZATION-ACCOUNT"),
        ('"myorg-acc"', "ORGANIZATION-ACCOUNT"),
        ("myorg\N{EN DASH}acc", "ORGANIZATION-ACCOUNT"),
        ("127.0.0.1", "ORGANIZATION-ACCOUNT"),
        ("myorg-acc.registry.snowflakecomputing.com", "SNOWFLAKE_URL"),
        ("myorg-acc.registry.privatelink.snowflakecomputing.com", "SNOWFLAKE_URL"),
        ("myorg-acc.snowflakecomputing.com:8443", "SNOWFLAKE_URL"),
        ("https://me@myorg-acc.snowflakecomputing.com", "SNOWFLAKE_URL"),
        ("https://snowflake.example.com", "SNOWFLAKE_URL"),
        ("snowflakecomputing.com", "SNOWFLAKE_URL"),
    ],
)
def test_what_names_no_account_is_refused_with_what_does(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        account.parse(text)
