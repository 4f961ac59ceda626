"""The one exception for input that a user can mend."""


class InputError(ValueError):
    """A file, row, field or argument that cannot be used.

    The message is all that the user sees: it names the file, row or field and says what was
    expected there. Programs print it on one line and end with exit code 1.
    """
