"""What the addresses of pages, files and API take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.datastructures import UploadFile

from campaigns.desk import Desk
from campaigns.security import TOKEN, check_form
from data.errors import BadOptionError

LARGEST = 2**31 - 1
"""Of a number that the store keeps."""


@dataclass(frozen=True)
class Answers:
    """A form as it was sent: texts, and the uploaded file if there is one."""

    texts: Mapping[str, str]
    upload: UploadFile | None

    def file(self) -> UploadFile:
        """Raises BadOptionError where no file was chosen."""
        if self.upload is None:
            raise BadOptionError("file: got none, expected a CSV file")
        return self.upload


def desk_of(request: Request) -> Desk:
    """The desk behind the application."""
    return request.app.state.desk


async def sent(request: Request) -> AsyncIterator[Answers]:
    """Reads a form; an upload is streamed to a temporary file, which is gone after the request."""
    async with request.form(max_files=1, max_fields=200) as form:
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        upload = form.get("file")
        yield Answers(texts, upload if isinstance(upload, UploadFile) and upload.filename else None)


async def sent_by_a_page(request: Request, answers: Annotated[Answers, Depends(sent)]) -> Answers:
    """The same of a form on one of the desk's own pages."""
    check_form(request, answers.texts.get(TOKEN))
    return answers


TheDesk = Annotated[Desk, Depends(desk_of)]
Sent = Annotated[Answers, Depends(sent)]
SentByAPage = Annotated[Answers, Depends(sent_by_a_page)]
Id = Annotated[int, Path(ge=1, le=LARGEST)]
SegmentName = Annotated[str | None, Query(pattern=r"^[^\x00]*$")]
"""PostgreSQL takes no NUL in a text."""
Row = Annotated[int, Path(ge=1, le=LARGEST)]
