"""Secrets that cannot be printed by accident, and a mask for secrets inside other texts."""

import re
from collections.abc import Mapping
from typing import Never
from urllib.parse import unquote

MASK = "***"


class Secret:
    """Holds a credential. `str`, `repr`, `format`, logging, JSON and pickling show or carry nothing of it.

    `reveal()` is the only way out, so that every place where a secret leaves can be found by searching for that name.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The credential itself, for the SDK call that needs it and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return f"'{MASK}'"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> Never:
        raise TypeError("a Secret does not travel: the other process reads its own environment")


# Names whose value is a credential, wherever `name=value`, `name: value`, `"name" => "value"` stands in a text.
_NAMES = (
    r"(?:access|account|private|api|subscription|functions)[-_]?key|passphrase|password|passwd|pwd|secret"
    r"|(?:access|refresh|id|sas|auth|session|master)[-_]?token|client[-_]assertion"
)
# `=`, `:`, `=>`, `:=`, or one of them percent-encoded, as in a URL that is a parameter of another URL.
_IS = r"(?:=>?+|:=?+|%(?:25)*3[AD])"
_KEY = "[A-Z0-9 ]*PRIVATE KEY-----"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"

# Each pattern takes time in proportion to the text, whatever the text is: the supervisor masks what its workers write,
# lines of 64 KiB among it. So no pattern may look at the same stretch again from each of many places in it: it begins
# only where the stretch begins, or asks first whether the stretch ends as it must.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A whole PEM block, up to its end or the next one; or, when its end was cut off, what can still be part of one.
    (
        re.compile(
            rf"-----BEGIN {_KEY}"
            rf"(?:(?:[^-]|-(?!----(?:BEGIN|END) {_KEY}))*+(?:-----END {_KEY}|(?=-----BEGIN))|[A-Za-z0-9+/=\s\\,:-]*)"
        ),
        f"-----PRIVATE KEY {MASK}-----",
    ),
    # https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature: `SharedAccessSignature sr=…`
    (re.compile(r"(SharedAccessSignature[ =]+)[^;\"'\r\n]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(SharedAccessKey\s*=\s*)[^;\s\"']+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"((?:\b|%(?:25)*(?:26|3F))sig(?:=|%(?:25)*3D))[^&;\s\"']+", re.IGNORECASE), rf"\1{MASK}"),
    # A header: `Authorization: Basic …`, `Proxy-Authorization: …`, `authorization: Snowflake Token="…"`.
    (
        re.compile(
            rf"(authorization\\?[\"']?\s*{_IS}\s*)(?:{_QUOTED}|(?:[a-z][\w-]*[ ]+)?(?:\\.|[^\s\\])+)",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # `token` alone is also a word of prose ("unexpected token: x"), and `offset_token` is no credential.
    (
        re.compile(
            rf"((?<!\w)token(?:\\?[\"']\s*{_IS}|\s*=>?+|%(?:25)*3D)\s*)(?:{_QUOTED}|[^&#\s\"',;]+)", re.IGNORECASE
        ),
        rf"\1{MASK}",
    ),
    # A key of an Azure Function, an authorization code, in the query of a URL.
    (re.compile(r"([?&](?:code|key|assertion)=)[^&#\s\"']+", re.IGNORECASE), rf"\1{MASK}"),
    # user:password@ of a URL (PostgreSQL, proxies); the user's name may stay.
    (re.compile(r"(://[^\s:/@]*:)[^\s/]*@"), rf"\1{MASK}@"),
    # The same without a scheme, typed where a host belongs.
    (
        re.compile(r"(?<![^\s@])(?=[^\s@]+@[\w\[])([^\s@]*?(?<![\w:/.+-])[\w.+-]+:)(?!//)[^\s@]+@"),
        rf"\1{MASK}@",
    ),
    (re.compile(r"(\bBearer\s+)[^\s\"',]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(?<![\w-])(?=[\w-]+\.)((?:[\w-]*?-)??)eyJ[\w-]{8,}(?:\.[\w-]*){1,4}"), rf"\1{MASK}"),
    (
        re.compile(
            rf"((?:{_NAMES})\\?[\"']?\s*{_IS}\s*)(?!-----PRIVATE|\*\*\*)(?:{_QUOTED}|(?:\\.|\S)+)", re.IGNORECASE
        ),
        rf"\1{MASK}",
    ),
)


# Credentials of this process as they are, for texts in which nothing around them says so.
_remembered: tuple[str, ...] = ()  # the oldest first: it is forgotten first
_known: tuple[str, ...] = ()  # the same, the longest first: one may begin, or stand in, another
SHORTEST_KNOWN = 8  # characters; a shorter one would be found in the middle of words
DIRECTORIES = ("PWD", "OLDPWD")  # of the shell: no passwords, whatever they are called
MOST_KNOWN = 200  # the lines of two keys, and every token of a day

# Which of the headers is the credential only the collector knows.
# https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
_HEADERS = re.compile(r"OTEL_EXPORTER_OTLP_(?:\w+_)?HEADERS")
_PEM = re.compile(r"-----[A-Z0-9 ]+-----|\s+")
_WORD = re.compile(r"[^\s&]+")
_PASSWORDS = re.compile(
    r"(?:SharedAccessKey|AccountKey|sig)\s*=\s*([^;&\s]+)"
    rf"|password\s*=\s*({_QUOTED}|\S+)"
    r"|://[^\s:/@]*:([^\s]*)@",
    re.IGNORECASE,
)


def remember(credential: str) -> None:
    """Have `mask` hide this credential wherever it stands: the key of a connection string, the password of a DSN or
    URL, each line of a PEM, or else the whole text.
    """
    global _remembered, _known  # noqa: PLW0603 (the process has one set of credentials)
    parts = _PEM.split(credential) if "-----BEGIN" in credential else _passwords_in(credential) or [credential]
    new = {form for part in parts for form in (part, unquote(part)) if len(form) >= SHORTEST_KNOWN and form != MASK}
    _remembered = (*_remembered, *sorted(new - set(_remembered)))[-MOST_KNOWN:]
    _known = tuple(sorted(_remembered, key=len, reverse=True))


def remember_all(variables: Mapping[str, str]) -> None:
    """Remember what environment variables hold: all of one that is named after a credential, else what is within."""
    for name, text in variables.items():
        is_credential = names_a_secret(name) and name not in DIRECTORIES
        within = _values_of(text) if _HEADERS.fullmatch(name) else _passwords_in(text)
        for part in [text] if is_credential else within:
            remember(part)


def forget_all() -> None:
    """Have `mask` know no credential any more. For a process that plays several, as the tests do: what one of them had
    to hide may be a plain word in the next.
    """
    global _remembered, _known  # noqa: PLW0603 (as `remember`)
    _remembered = _known = ()


def _passwords_in(text: str) -> list[str]:
    """Of a connection string, a DSN, a URL with a login."""
    return ["".join(groups).strip("'\"") for groups in _PASSWORDS.findall(text)]


def _values_of(headers: str) -> list[str]:
    """Of `name=value,name=value`, percent-encoded: each value, and each word of it, as after `Bearer`."""
    values = [pair.partition("=")[2].strip() for pair in headers.split(",")]
    return [*values, *(word for value in values for word in unquote(value).split())]


def names_a_secret(name: str) -> bool:
    """Whether a value under this name is a credential: `password`, `oauth_client_secret`; not `private_key_file`."""
    return re.search(rf"(?:{_NAMES})$", name, re.IGNORECASE) is not None


def mask(text: str) -> str:
    """`text` without what looks like a credential: keys, signatures, tokens, passwords of URLs and of DSNs.

    For texts that others wrote (SDK and driver errors, tracebacks, settings typed into the wrong variable): what this
    process was told to `remember`, and what looks like a credential. It is the last resort: what is known to be
    a credential is kept in a `Secret`.
    """
    # Known ones first: what a pattern leaves of a text may no longer contain the whole credential.
    for credential in _known:
        text = text.replace(credential, MASK)
    return _without_what_looks_like_one(_without_encoded(text) if "%" in text else text)


def _without_encoded(text: str) -> str:
    """`text` without the words that hold a credential percent-encoded, in whichever of the ways that encoders have."""
    plain = unquote(text)
    found = [credential for credential in _known if credential in plain]
    if not found:
        return text
    return _WORD.sub(lambda word: MASK if any(one in unquote(word[0]) for one in found) else word[0], text)


def looks_like_a_credential(text: str) -> bool:
    """Whether any of it does; not whether it is one of this process: a password may be somebody's name, too."""
    return _without_what_looks_like_one(text) != text


def _without_what_looks_like_one(text: str) -> str:
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
