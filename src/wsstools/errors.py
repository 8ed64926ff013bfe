"""The project's errors. Each carries a single string, so that it survives a process boundary."""


class WssError(Exception):
    """An error that is reported in one line. Exit code 1."""

    exit_code = 1


def os_error_line(error: OSError) -> str:
    """What the operating system refused, with the file if it names one."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


class UsageError(WssError):
    """A command was called wrongly; the message ends with a hint. Exit code 2."""

    exit_code = 2


class DataError(WssError):
    """A file does not hold what it should."""


class SkippedImage(WssError):
    """There is nothing to do for an image, which is no failure (it has no scribble, say)."""
