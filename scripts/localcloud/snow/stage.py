"""The answer to `pipe-info`: where a client may upload files, and how it is to buffer.

This service takes rows inline only. Its parameters ask the client to stay in that mode, and the stage it must name
points back at this host, so that a client that switches to file upload fails here and never leaves the machine.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from .channel import now_ms

BUCKET = "localcloud"
STAGE_LIFETIME_MS = 3_600_000

PARAMETERS = {
    "max_client_lag_seconds": 1,
    "rowset_flush_threshold_kb": 65_000,  # a u16 in the client: this keeps it inline at any rate seen here
    "max_buffered_kb_for_rowset_mode": 65_000,
    "rowset_threshold_lookback_seconds": 10,
    "rowset_threshold_ewma_weight": 50,
    "target_file_size_compressed_mb": 16,
    "cpu_throttle_high_watermark_percent": 90,
    "cpu_throttle_low_watermark_percent": 80,
    "mem_throttle_high_watermark_percent": 90,
    "mem_throttle_low_watermark_percent": 80,
}


def pipe_info(endpoint: str) -> dict[str, Any]:
    """Give the stages of a pipe, a fresh file key and no overrides."""
    return {
        "rowset_stage_location": _location(endpoint),
        "durable_stage_location": _location(endpoint),
        "encryption_info": {
            "pipe_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "pipe_key_id": 1,
            "diversifier": "localcloud",
        },
        "parameter_overrides": {},
    }


def _location(endpoint: str) -> dict[str, Any]:
    return {
        "location": "localcloud/stage",
        "location_type": "S3",
        "expiry_time_ms": now_ms() + STAGE_LIFETIME_MS,
        "use_s3_regional_url": False,
        "region": "local",
        "storage_account": "",
        "bucket_name": BUCKET,
        "path_prefix": "stage",
        "storage_endpoint": endpoint,
        "creds": {"AWS_KEY_ID": "none", "AWS_SECRET_KEY": "none", "AWS_TOKEN": "none"},
        "parameters": PARAMETERS,
    }
