"""Rules of `SNOWFLAKE_*`."""

from collections.abc import Iterator

from shared.config.faults import Fault
from shared.config.formats import account, endpoint, identifier, private_key
from shared.config.formats.files import SECRET_BYTES, bytes_of, certificate_problem, is_open_to_others, text_of
from shared.config.settings import DEFAULT_PIPE, Settings
from shared.config.variables import VARIABLES
from shared.log.secret import mask, remember

USUAL_COMMIT_S = 10.0
LONGEST_NAME_SHOWN = 40  # a key or a token, in the wrong place, is longer

IDENTIFIERS = (
    "SNOWFLAKE_ROLE",
    "SNOWFLAKE_DATABASE",
    "SNOWFLAKE_SCHEMA",
    "SNOWFLAKE_TABLE",
    "SNOWFLAKE_PIPE",
    "SNOWFLAKE_WAREHOUSE",
    "CONTROL_SNOWFLAKE_DATABASE",
    "CONTROL_SNOWFLAKE_SCHEMA",
)

# Properties of the SDK's client that evsup fills from a variable:
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-configurations
OWN_PROPERTIES = {
    "account": "SNOWFLAKE_ACCOUNT",
    "user": "SNOWFLAKE_USER",
    "role": "SNOWFLAKE_ROLE",
    "url": "SNOWFLAKE_URL",
    "private_key": "SNOWFLAKE_PRIVATE_KEY",
    "private_key_file": "SNOWFLAKE_PRIVATE_KEY_FILE",
    "private_key_passphrase": "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
    "authorization_type": "SNOWFLAKE_OAUTH_CLIENT_ID",
    "oauth_client_id": "SNOWFLAKE_OAUTH_CLIENT_ID",
    "oauth_client_secret": "SNOWFLAKE_OAUTH_CLIENT_SECRET",
    "oauth_token_endpoint": "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT",
    "oauth_scope": "SNOWFLAKE_OAUTH_SCOPE",
}
KEY_PAIR = ("SNOWFLAKE_PRIVATE_KEY_FILE", "SNOWFLAKE_PRIVATE_KEY", "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE")
OAUTH = (
    "SNOWFLAKE_OAUTH_CLIENT_ID",
    "SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE",
    "SNOWFLAKE_OAUTH_CLIENT_SECRET",
    "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT",
    "SNOWFLAKE_OAUTH_SCOPE",
)


def account_is_an_identifier(settings: Settings) -> Iterator[Fault]:
    """The account is named in one of the forms that people paste."""
    try:
        account.parse(settings.snowflake.account)
    except ValueError as error:
        yield Fault("SNOWFLAKE_ACCOUNT", str(error))


def names_are_identifiers(settings: Settings) -> Iterator[Fault]:
    """Every name is an identifier: names go into SQL, and anything else could be another statement."""
    for name in IDENTIFIERS:
        text = typed = VARIABLES[name].of(settings)
        # `<TABLE>-STREAMING` may be named outright. Its hyphen needs no quotes, because it never goes through SQL.
        # https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
        if name == "SNOWFLAKE_PIPE" and text and text.upper().endswith(DEFAULT_PIPE):
            text = text[: -len(DEFAULT_PIPE)]
        if text is not None and (reason := identifier.problem(text)):
            yield Fault(name, reason, _in_quotes(typed) if "single ones" in reason else None)


def _in_quotes(text: str) -> str:
    """The typed name in quotes for a shell, unless it could be a secret or holds a quote."""
    can_be_shown = len(text) < LONGEST_NAME_SHOWN and text.isprintable() and mask(text) == text and "'" not in text
    return f"'\"{text}\"'" if can_be_shown else "'\"My Table\"'"


def one_way_to_sign_in(settings: Settings) -> Iterator[Fault]:
    """Sign in by key pair or by OAuth, each with exactly one credential: of two, nobody knows which one was rotated."""
    by_key, by_oauth = _set(settings, KEY_PAIR), _set(settings, OAUTH)
    if by_key and by_oauth:
        yield Fault(by_oauth[0], f"is set and so is {by_key[0]}: sign in by OAuth or by key pair, and drop the other")
    elif by_oauth:
        yield from _oauth_faults(by_oauth)
    else:
        yield from _one_of(by_key, "SNOWFLAKE_PRIVATE_KEY", ", or sign in by OAuth (SNOWFLAKE_OAUTH_CLIENT_ID)")


def _set(settings: Settings, variables: tuple[str, ...]) -> list[str]:
    return [name for name in variables if VARIABLES[name].of(settings)]


def _oauth_faults(found: list[str]) -> Iterator[Fault]:
    for name in ("SNOWFLAKE_OAUTH_CLIENT_ID", "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT"):
        if name not in found:
            yield Fault(name, f"is required beside {found[0]}")
    yield from _one_of(found, "SNOWFLAKE_OAUTH_CLIENT_SECRET")


def _one_of(found: list[str], credential: str, or_else: str = "") -> Iterator[Fault]:
    file = f"{credential}_FILE"
    if file in found and credential in found:
        yield Fault(file, f"is set and so is {credential}; drop one of the two")
    elif file not in found and credential not in found:
        yield Fault(file, f"is required; or set {credential} instead{or_else}")


def private_key_opens(settings: Settings) -> Iterator[Fault]:
    """The private key can be opened. The SDK would report a wrong one as `Fatal` (500)."""
    target = settings.snowflake
    passphrase = target.private_key_passphrase.reveal() if target.private_key_passphrase else None
    if target.private_key:
        yield from _key_faults("SNOWFLAKE_PRIVATE_KEY", target.private_key.reveal(), passphrase)
    if target.private_key_file:
        try:
            content = bytes_of(target.private_key_file, SECRET_BYTES)
            remember(content.decode(errors="replace"))
        except ValueError as error:
            yield Fault("SNOWFLAKE_PRIVATE_KEY_FILE", str(error))
        else:
            yield from _key_faults("SNOWFLAKE_PRIVATE_KEY_FILE", content, passphrase)


def client_secret_is_there(settings: Settings) -> Iterator[Fault]:
    """The file of the client secret can be read and is not empty."""
    if path := settings.snowflake.oauth_client_secret_file:
        try:
            if not text_of(path, SECRET_BYTES).strip():
                yield Fault("SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE", "is empty")
        except ValueError as error:
            yield Fault("SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE", str(error))


def _key_faults(variable: str, material: str | bytes, passphrase: str | None) -> Iterator[Fault]:
    try:
        private_key.open_key(material, passphrase)
    except private_key.PassphraseProblem as problem:
        yield Fault("SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", str(problem))
    except ValueError as problem:
        yield Fault(variable, str(problem))


def url_is_https(settings: Settings) -> Iterator[Fault]:
    """The URL is https: the streaming SDK accepts nothing else since 1.5.0."""
    if settings.snowflake.url is None:
        return
    try:
        url = endpoint.parse(settings.snowflake.url)
    except ValueError as error:
        yield Fault("SNOWFLAKE_URL", str(error))
        return
    if url.scheme != "https" or url.has_path or url.has_credentials:
        yield Fault("SNOWFLAKE_URL", "must be https://HOST:PORT alone")


def token_endpoint_is_https(settings: Settings) -> Iterator[Fault]:
    """The token endpoint is https: the client secret is sent there."""
    if settings.snowflake.oauth_token_endpoint is None:
        return
    try:
        url = endpoint.parse(settings.snowflake.oauth_token_endpoint)
    except ValueError as error:
        yield Fault("SNOWFLAKE_OAUTH_TOKEN_ENDPOINT", str(error))
        return
    if url.scheme != "https" or url.has_credentials:
        yield Fault("SNOWFLAKE_OAUTH_TOKEN_ENDPOINT", "must be https://HOST/PATH, without a user")


def ca_file_is_a_bundle(settings: Settings) -> Iterator[Fault]:
    """The CA file can be read. With one that cannot, the SDK only fails to connect."""
    if reason := certificate_problem(settings.snowflake.ca_file):
        yield Fault("SNOWFLAKE_CA_FILE", reason)


def properties_contradict_nothing(settings: Settings) -> Iterator[Fault]:
    """SNOWFLAKE_STREAMING_PROPERTIES sets nothing that has a variable of its own, where it is checked and masked."""
    for key in settings.snowflake.streaming_properties:
        if key in OWN_PROPERTIES:
            yield Fault("SNOWFLAKE_STREAMING_PROPERTIES", f"holds {key}, which is set by {OWN_PROPERTIES[key]}")


def quarantine_has_a_warehouse(settings: Settings) -> Iterator[Fault]:
    """There is a warehouse: rejected rows are found and quarantined by SQL."""
    if settings.snowflake.quarantines and settings.snowflake.warehouse is None:
        yield Fault("SNOWFLAKE_WAREHOUSE", "is required with SNOWFLAKE_ON_REJECT=quarantine")


def quarantine_has_a_name(settings: Settings) -> Iterator[Fault]:
    """The quarantine's name, the table's with an ending, is not longer than Snowflake allows."""
    length, longest = (
        len(identifier.stored_name(settings.snowflake.table)),
        identifier.MOST_CHARACTERS - len(identifier.QUARANTINE),
    )
    if settings.snowflake.quarantines and longest < length <= identifier.MOST_CHARACTERS:
        yield Fault(
            "SNOWFLAKE_TABLE", f"is longer than {longest} characters, and {identifier.QUARANTINE} has to fit after it"
        )


def columns_are_seen(settings: Settings) -> Iterator[Fault]:
    """The table's columns are read where they decide which key goes where."""
    if settings.snowflake.row_format == "columns" and not settings.snowflake.check_columns:
        yield Fault(
            "SNOWFLAKE_CHECK_COLUMNS", "must be true with SNOWFLAKE_ROW_FORMAT=columns: a row is made by the columns"
        )


def credential_file_is_private(settings: Settings) -> Iterator[str]:
    """Warn of a credential file that others can read. It is no fault: files of a Kubernetes secret are readable by all
    unless `defaultMode` says otherwise.
    """
    for name in _set(settings, ("SNOWFLAKE_PRIVATE_KEY_FILE", "SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE")):
        path = VARIABLES[name].of(settings)
        if is_open_to_others(path):
            yield f"{name} can be read by others: chmod 600 {path} (Kubernetes: defaultMode: 0400)"


def commits_have_time(settings: Settings) -> Iterator[str]:
    """Snowflake commits within some 5 to 10 s:
    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-overview.
    """
    if settings.snowflake.commit_timeout < USUAL_COMMIT_S:
        yield (
            f"SNOWFLAKE_COMMIT_TIMEOUT={settings.snowflake.commit_timeout:g} is less than Snowflake usually takes to"
            f" commit ({USUAL_COMMIT_S:g} s): workers would fail again and again"
        )


def unknown_keys_can_come(settings: Settings) -> Iterator[str]:
    """In the envelope no key has a column."""
    if settings.snowflake.row_format == "envelope" and settings.snowflake.on_unknown_key != "keep":
        yield (
            f"SNOWFLAKE_ON_UNKNOWN_KEY={settings.snowflake.on_unknown_key} has no effect without"
            " SNOWFLAKE_ROW_FORMAT=columns"
        )


RULES = (
    (account_is_an_identifier, ("SNOWFLAKE_ACCOUNT",)),
    (names_are_identifiers, ()),
    (one_way_to_sign_in, ()),
    (private_key_opens, KEY_PAIR),
    (client_secret_is_there, ("SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE",)),
    (url_is_https, ("SNOWFLAKE_URL",)),
    (token_endpoint_is_https, ("SNOWFLAKE_OAUTH_TOKEN_ENDPOINT",)),
    (ca_file_is_a_bundle, ("SNOWFLAKE_CA_FILE",)),
    (properties_contradict_nothing, ("SNOWFLAKE_STREAMING_PROPERTIES",)),
    (quarantine_has_a_warehouse, ("SNOWFLAKE_ON_REJECT", "SNOWFLAKE_WAREHOUSE")),
    (quarantine_has_a_name, ("SNOWFLAKE_ON_REJECT", "SNOWFLAKE_TABLE")),
    (columns_are_seen, ("SNOWFLAKE_ROW_FORMAT", "SNOWFLAKE_CHECK_COLUMNS")),
)
CAUTIONS = (credential_file_is_private, commits_have_time, unknown_keys_can_come)
