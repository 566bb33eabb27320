"""A file that HDF5 can be written to when the disk is full, without a crash of the process."""

from io import FileIO
from typing import Any


class ErrorKeepingFile(FileIO):
    """A binary file, written and read, whose failures to write are kept for :meth:`check`.

    The HDF5 library cannot close a file that it could not write to, and crashes when the process ends. So it is let
    believe that all was written, and the file is thrown away.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of ``data``."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Change the size of the file."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise OSError if anything could not be written."""
        if self.error is not None:
            raise self.error
