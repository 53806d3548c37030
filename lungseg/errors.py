"""The three ways in which something can go wrong, each with one line for the user."""


class UserError(Exception):
    """The request was wrong (exit status 2): the message says what, where, and what to do."""


class WorkError(Exception):
    """The request was fine but the work failed (exit status 1)."""


class RejectedCase(Exception):
    """A case that cannot be used: its message is the reason listed in `rejected.csv`."""
