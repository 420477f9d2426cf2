"""Lists that are still to be scored outlive the desk's folder where they have a copy in an object store."""

from __future__ import annotations

import shutil

import pytest

from campaigns import lists
from campaigns.jobs import Worker
from campaigns.uploads import Uploads
from data.errors import BadFileError
from data.object_store import locate
from tests.campaigns.conftest import list_text
from tests.support.request_log import wait_until

LIST = list_text([{"age": str(age)} for age in range(20, 60)])


@pytest.fixture
def uploads(tmp_path):
    (tmp_path / "lists").mkdir(exist_ok=True)
    return Uploads(tmp_path / "lists", locate(f"file://{tmp_path / 'store'}"))


def keep(uploads, campaign_id, text=LIST):
    file = uploads.folder / f"upload{lists.PART}"
    file.write_text(text)
    uploads.keep(file, campaign_id)


def test_a_list_comes_back_from_the_store(uploads):
    keep(uploads, 7)
    assert [file.name for file in uploads.folder.iterdir()] == ["7.csv"]
    uploads.file(7).unlink()
    assert uploads.file(7).read_text() == LIST
    uploads.remove(7)
    with pytest.raises(BadFileError, match=r"7\.csv: there is no such file"):
        uploads.file(7)
    assert not [*uploads.folder.iterdir()]
    uploads.remove(7)


def test_without_a_store_lists_lie_in_the_folder_alone(uploads):
    alone = Uploads(uploads.folder)
    keep(alone, 7)
    assert alone.file(7).read_text() == LIST
    alone.remove(7)
    assert not alone.file(7).exists()


def test_a_desk_with_a_new_folder_scores_the_lists_of_the_one_before(desk, uploads, tmp_path):
    campaign = desk.campaign(LIST)
    keep(uploads, campaign.id)
    shutil.rmtree(uploads.folder)
    fresh = Uploads(tmp_path / "fresh", uploads.store)
    fresh.folder.mkdir()
    worker = Worker(desk.engine, desk.server.url, fresh, desk.artifacts)
    worker.start()
    wait_until(lambda: desk.get(campaign).state == "ranked")
    worker.stop(10)
    assert desk.get(campaign).scored == 40
    assert not [file for file in (tmp_path / "store").rglob("*") if file.is_file()]
    assert not [*fresh.folder.iterdir()]
