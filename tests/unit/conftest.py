"""Settings for all unit tests."""

from hypothesis import settings

# No deadline for a single example: a loaded machine is not a bug, and the tier has a time limit of its own.
settings.register_profile("evsup", deadline=None)
settings.load_profile("evsup")
