"""Uploaded lists that are still to be scored: in the desk's folder and, where there is one, in an object store.

The desk reads the file in its folder. The copy in the store is for a desk whose folder is new, on another machine or in
another container: it goes on with the lists of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from campaigns import lists
from data.errors import BadFileError, ServiceError
from data.object_store import Location


@dataclass(frozen=True)
class Uploads:
    """The lists of campaigns.

    Attributes:
      folder: of the desk.
      store: where copies lie; None where there is no object store.
    """

    folder: Path
    store: Location | None = None

    def keep(self, file: Path, campaign_id: int) -> None:
        """Makes a file of the folder the list of a campaign.

        Raises:
          ServiceError: the store does not take it.
        """
        place = lists.place(self.folder, campaign_id)
        if self.store:
            try:
                (self.store / place.name).write(file)
            except BadFileError as error:  # not the file that a person has uploaded
                raise ServiceError(str(error)) from error
        file.replace(place)

    def file(self, campaign_id: int) -> Path:
        """The list of a campaign, which is fetched from the store if it is not in the folder.

        Raises:
          BadFileError: it is not in the store either, or the store does not answer.
        """
        place = lists.place(self.folder, campaign_id)
        if self.store and not place.exists():
            fresh = place.with_suffix(lists.PART)
            (self.store / place.name).download(fresh)
            fresh.replace(place)
        return place

    def remove(self, campaign_id: int) -> None:
        """Removes the list of a campaign, if there is one.

        Raises:
          BadFileError: the store does not answer.
        """
        place = lists.place(self.folder, campaign_id)
        place.unlink(missing_ok=True)
        if self.store:
            (self.store / place.name).remove()
