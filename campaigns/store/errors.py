"""What the store refuses, and that it does not answer."""

from data.errors import ServiceError, UserError


class StateError(UserError):
    """The campaign does not exist, or its state does not allow the change."""


class StoreDownError(ServiceError):
    """The database does not answer now."""
