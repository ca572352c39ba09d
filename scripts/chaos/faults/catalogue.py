"""Every fault that a storm deals."""

from scripts.chaos.faults.processes import PROCESS_FAULTS
from scripts.chaos.faults.sink import SINK_FAULTS, STAGE_FAULTS
from scripts.chaos.faults.source import SOURCE_FAULTS
from scripts.chaos.faults.store import STORE_FAULTS

FAULTS = (*PROCESS_FAULTS, *SOURCE_FAULTS, *SINK_FAULTS, *STAGE_FAULTS, *STORE_FAULTS)
