"""Errors that a program tells in one line, without a traceback.

ExpectedError             exit code 1
|- UserError              exit code 2: the user can put it right; the message says where and what was expected
|  |- BadFileError        a data file: its path, its rows, its columns
|  |  `- MissingColumnsError
|  |- BadContractError    a contract
|  |- BadOptionError      a command-line option or a setting
|  `- NotReadyError       something must exist first: a run, a pushed model, a program on this machine
`- ServiceError           another service does not answer
   `- RefusedError        it refuses the request
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ExpectedError(Exception):
    """Something that can go wrong in normal use."""

    exit_code = 1


class UserError(ExpectedError):
    """The user's file, contract or option is wrong."""

    exit_code = 2


class BadFileError(UserError):
    """A data file cannot be used."""


class MissingColumnsError(BadFileError):
    """The header of a data file lacks columns.

    Attributes:
      columns: the missing ones.
    """

    def __init__(self, message: str, columns: Iterable[str]):
        super().__init__(message)
        self.columns = tuple(columns)


class BadContractError(UserError):
    """A contract cannot be used."""


class BadOptionError(UserError):
    """A command-line option or a setting cannot be used."""


class NotReadyError(UserError):
    """Something that the command needs is not there yet."""


class ServiceError(ExpectedError):
    """Another service does not answer, or answers with an error."""


class RefusedError(ServiceError):
    """Another service refuses a request, and would refuse the same one again."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the most similar known name, whatever its case, or nothing."""
    originals = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), originals, n=1)
    return f" (did you mean {originals[close[0]]!r}?)" if close else ""
