"""The authority of the local services is one that every supported interpreter accepts."""

import ssl
from pathlib import Path

from scripts.localcloud.signing.certificate import make_certificate

ADDRESS = "127.0.0.1"


def test_strict_verification_as_of_python_3_13_accepts_the_authority(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, ADDRESS)
    trusting = ssl.create_default_context(cafile=str(certificate.ca_file))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT  # https://docs.python.org/3/whatsnew/3.13.html#ssl
    asked, answered = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(answered, asked, server_hostname=ADDRESS)
    server = certificate.server_context().wrap_bio(asked, answered, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == server.version() == "TLSv1.3"
