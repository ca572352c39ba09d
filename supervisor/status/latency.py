"""How long rows took, of several workers together."""

from collections.abc import Iterable

from shared.ipc.messages import Histogram, Latencies

STAGES = Latencies.__struct_fields__


def total(latencies: Iterable[Latencies]) -> Latencies:
    """All of them added up."""
    every = tuple(latencies)
    return Latencies(**{stage: _sum([getattr(each, stage) for each in every]) for stage in STAGES})


def _sum(histograms: list[Histogram]) -> Histogram:
    counts = tuple(map(sum, zip(*(each.counts for each in histograms), strict=True)))
    return Histogram(counts=counts or Histogram().counts, sum_s=sum(each.sum_s for each in histograms))
