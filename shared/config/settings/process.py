"""Settings of the process itself."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1, le=10_000)]


class ProcessSettings(Struct, frozen=True, kw_only=True):
    """How the process tree runs on this host."""

    prefix: ClassVar[str] = "EVSUP_"
    title: ClassVar[str] = "Process"

    max_partitions: Annotated[
        Count | None,
        Meta(description="How many partitions this supervisor may claim. Empty: all.", examples=["4"]),
    ] = None
    drain_timeout: Annotated[
        float,
        Meta(
            gt=0, le=3600, description="Seconds that a drain may take before the tree stops at once.", examples=["30"]
        ),
    ] = 30.0
    state_dir: Annotated[
        str | None,
        Meta(
            description="Lock, socket, crash reports. Empty: `$XDG_RUNTIME_DIR/evsup`, `/run/evsup` or a temp dir.",
            examples=["/run/evsup"],
        ),
    ] = None
    http_address: Annotated[
        str | None,
        Meta(
            description="IP:PORT of a page, `/metrics`, `/healthz`, `/readyz`, `/status`; no password. Empty: off.",
            examples=["127.0.0.1:9464"],
        ),
    ] = None
    http_hosts: Annotated[
        str | None,
        Meta(
            description="Names, with commas, by which a proxy or a scrape may ask for it, beside this host's own.",
            examples=["evsup.example.com"],
        ),
    ] = None
    mapper: Annotated[
        str | None,
        Meta(
            description="`package.module:function` that makes a row of an event (docs/mapper.md). Empty: evsup does.",
            examples=["flights.mapper:mask"],
        ),
    ] = None
    log_format: Annotated[
        Literal["text", "json"] | None, Meta(description="Empty: `text` on a terminal, else `json`.")
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Lowest level that is logged.")
    ] = "info"

    @property
    def http_names(self) -> tuple[str, ...]:
        """The names in `http_hosts`."""
        return tuple(name.strip() for name in (self.http_hosts or "").split(",") if name.strip())
