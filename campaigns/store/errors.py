"""What the store refuses."""

from data.errors import UserError


class StateError(UserError):
    """The campaign does not exist, or its state does not allow the change."""
