"""The exceptions whose message is all that a user sees."""


class InputError(ValueError):
    """A file, row, field or argument that cannot be used.

    The message names the file, row or field and says what was expected there. Programs print it on
    one line and end with exit code 1.
    """


class DivergenceError(RuntimeError):
    """Training left the finite numbers. The message names the step and the terms."""


class DamagedError(InputError):
    """A checkpoint, or a part of it, is not what was saved."""
