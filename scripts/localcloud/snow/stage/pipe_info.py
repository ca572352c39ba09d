"""The answer to `pipe-info`: where a client uploads files, with which keys, and how it is to buffer."""

import base64
import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from scripts.localcloud.snow.stage.credentials import REGION
from scripts.localcloud.snow.stage.stage import BUCKET, Stage
from scripts.localcloud.snow.tables.column import BinaryFormat

ENCRYPTION_VERSION = "AES-CTR-128.1"  # asked for by SDK 1.9.1, which then encrypts with a key of 32 bytes
DIVERSIFIER = "localcloud"

# What the cloud sends is not known. The client follows its own thresholds whatever these say (measured with 1.9.1): it
# leaves inline mode at about 1 MB/s, or for a burst of that size.
PARAMETERS = {
    "max_client_lag_seconds": 1,
    "rowset_flush_threshold_kb": 65_000,
    "max_buffered_kb_for_rowset_mode": 65_000,
    "rowset_threshold_lookback_seconds": 10,
    "rowset_threshold_ewma_weight": 50,
    "target_file_size_compressed_mb": 16,
    "cpu_throttle_high_watermark_percent": 90,
    "cpu_throttle_low_watermark_percent": 80,
    "mem_throttle_high_watermark_percent": 90,
    "mem_throttle_low_watermark_percent": 80,
}


class FileKeys:
    """The keys that files are encrypted with, by their number."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._keys: dict[str, bytes] = {}

    def issue(self) -> "FileKey":
        """Give a new key."""
        number = next(self._numbers)
        key = FileKey(number, secrets.token_bytes(32))
        self._keys[str(number)] = key.secret
        return key

    def find(self, number: str) -> bytes | None:
        """Give the key of that number, which clients write as text."""
        return self._keys.get(number)


@dataclass(frozen=True)
class FileKey:
    """A key and its number."""

    number: int
    secret: bytes


def pipe_info(stage: Stage, keys: FileKeys, binary: BinaryFormat = "BASE64") -> dict[str, Any]:
    """Give the stages of a pipe, a fresh file key, and the form in which the client is to write bytes."""
    key = keys.issue()
    return {
        "rowset_stage_location": _location(stage),
        "durable_stage_location": _location(stage),
        "encryption_info": {
            "pipe_key": base64.b64encode(key.secret).decode(),
            "pipe_key_id": key.number,
            "diversifier": DIVERSIFIER,
        },
        "parameter_overrides": {"binary_input_format": binary},
    }


def _location(stage: Stage) -> dict[str, Any]:
    credential = stage.invite()
    return {
        "location": f"{BUCKET}/{credential.prefix}",
        "location_type": "S3",
        "expiry_time_ms": int(credential.expires_at * 1000),
        "use_s3_regional_url": False,
        "region": REGION,
        "storage_account": "",
        "bucket_name": BUCKET,
        "path_prefix": credential.prefix,
        "storage_endpoint": stage.endpoint,
        "creds": {
            "AWS_KEY_ID": credential.key_id,
            "AWS_SECRET_KEY": credential.secret,
            "AWS_TOKEN": credential.token,
        },
        "parameters": PARAMETERS,
    }
