"""A flag that another thread sets and a loop waits for beside its sockets."""

import os


class Wakeup:
    """Readable from `set` until `clear`, for `multiprocessing.connection.wait`. Safe to set from any thread."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._fd

    def set(self) -> None:
        """Wake whoever waits. Setting it several times wakes once."""
        os.eventfd_write(self._fd, 1)

    def clear(self) -> bool:
        """Reset it; returns whether it was set."""
        try:
            return os.eventfd_read(self._fd) > 0
        except BlockingIOError:
            return False

    def __del__(self) -> None:
        os.close(self._fd)
