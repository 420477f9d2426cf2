"""The page says what the run made, shows nothing it has not been told, and survives whatever a run lacks."""

import copy
import itertools
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import report
from analysis.metrics import gain
from report.gather import Material
from tests.report.report_run import ATTACK, metrics, whole

VOID = {"meta", "link", "br", "img", "path", "circle", "rect", "line"}


@pytest.fixture
def material() -> Material:
    return whole()


class Page(HTMLParser):
    """What a reader and a screen reader get of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.source, self.tags, self.texts, self.headings, self.tables = text, [], [], [], {}
        self.stray = ""
        """Text of the body outside header, nav, main and footer."""
        self._open: list[str] = []
        self._row: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "caption":
            self._caption = ""
        if tag == "tr":
            self._row = []
        if tag in ("th", "td"):
            self._row.append("")
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "caption":
            self.tables[self._caption] = []
        if tag == "tr":
            self.tables[self._caption].append(self._row)

    def handle_data(self, text):
        inside = self._open[-1:]
        if inside == ["style"]:
            return
        self.texts.append(text)
        if "body" in self._open and not {"header", "nav", "main", "footer"} & set(self._open):
            self.stray += text
        if inside == ["caption"]:
            self._caption += text
        if inside and inside[0] in ("th", "td"):
            self._row[-1] += text
        if self.headings and inside and inside[0] == f"h{self.headings[-1][0]}":
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + text)

    @property
    def text(self) -> str:
        """As read, in one line, without unbreakable spaces."""
        return " ".join("".join(self.texts).replace("\u00a0", " ").split())

    @property
    def cells(self) -> set[str]:
        """What stands in tables."""
        return {cell for rows in self.tables.values() for row in rows for cell in row}

    def table(self, start: str) -> list[list[str]]:
        """The rows below the head of the table whose caption begins so."""
        (rows,) = (rows for caption, rows in self.tables.items() if caption.startswith(start))
        return [[cell.replace("\u00a0", " ") for cell in row] for row in rows[1:]]


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Builds the page of some material."""

    def build(material: Material, **money: float) -> Page:
        monkeypatch.setattr("report.gather.gather", lambda run_folder: material)
        path = report.build(tmp_path, **money)
        assert path == tmp_path / "report.html"
        return Page(path.read_text(encoding="utf-8"))

    return build


def test_the_first_sentence_is_the_gain_on_test(build, material):
    reached = gain(*material.scores["test"], 0.2)
    sentence = f"Calling the best-scored 20 % of customers reaches {100 * reached:.0f} % of buyers"
    assert sentence in build(material).text


def test_a_page_is_well_formed_and_its_landmarks_and_headings_are_in_order(build, material):
    page = build(material)
    names = [tag for tag, _ in page.tags]
    for landmark in ("header", "nav", "main", "footer"):
        assert names.count(landmark) == 1
    levels = [level for level, _ in page.headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert ("html", {"lang": "en"}) in page.tags
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"][1:] for tag, attributes in page.tags if tag == "a"]
    assert links
    assert set(links) <= set(ids)


def test_nothing_is_loaded_from_elsewhere(build, material):
    page = build(material)
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in page.source
    assert "url(" not in page.source
    assert "http://" not in page.source
    assert "https://" not in page.source


def test_every_picture_has_a_title_and_a_description(build, material):
    page = build(material)
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    ids = {attributes.get("id"): tag for tag, attributes in page.tags}
    named = [picture for picture in pictures if picture.get("role") == "img"]
    assert len(named) >= 8
    for picture in named:
        title, description = picture["aria-labelledby"].split()
        assert (ids[title], ids[description]) == ("title", "desc")
    assert all(picture.get("aria-hidden") == "true" for picture in pictures if picture not in named)


def test_every_table_has_a_caption_and_headers_and_can_be_scrolled_by_keyboard(build, material):
    page = build(material)
    names = [tag for tag, _ in page.tags]
    assert names.count("table") == names.count("caption") > 10
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")
    regions = [attributes for _, attributes in page.tags if attributes.get("role") == "region"]
    assert len(regions) == names.count("table")
    assert all(region["tabindex"] == "0" and region["aria-label"] for region in regions)


def test_names_from_the_data_are_text_and_never_markup(build, material):
    page = build(material)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script" not in page.source
    assert page.text.count("<script>alert(1)</script>") >= 2


def test_tables_hold_the_figures_of_the_run(build, material):
    page = build(material)
    confusion = page.table("At 0.5")
    measured = material.summary["metrics"]["test"]
    assert confusion[0][1:3] == [f"{measured['true_positives']}", f"{measured['false_positives']}"]
    assert confusion[1][1:3] == [f"{measured['false_negatives']}", f"{measured['true_negatives']}"]
    (network, other) = page.table("The same test customers")
    assert network[:2] == ["Dense network", f"{measured['auc']:.4f}"]
    assert other[:2] == ["Nearest neighbours", f"{material.summary['metrics']['eval']['auc']:.4f}"]
    assert [row[0] for row in page.table("Permutation importance")] == ["job", "age"]
    tenths = page.table("Tenths")
    assert len(tenths) == 10
    labels = material.scores["test"][0]
    assert sum(float(row[2]) for row in tenths) == pytest.approx(labels.sum(), abs=5)


def test_groups_too_small_to_judge_are_counted_only(build, material):
    page = build(material)
    (young,) = page.table("Test customers by age")
    assert young[:4] == ["below 30", "200", "40", "20.0 %"]
    assert young[6] == "0.710"
    few, student = page.table("Test customers by job")
    assert few[:3] == [ATTACK, "12", "2"]
    assert few[6:] == ["–", "–"]
    assert student[6:] == ["–", "–"]


def test_a_moved_column_is_named_and_listed_first(build, material):
    rows = build(material).table("Eval against train")
    assert [row[0] for row in rows] == ["job", "age"]
    assert rows[0][-1] == "moved"


def test_what_changed_since_the_last_blessed_run(build, material):
    page = build(material)
    assert page.table("What was chosen differently") == [["width", "64", "48"]]
    figures = page.table("Test figures of run 20251231-120000")
    measured = material.summary["metrics"]["test"]["auc"]
    assert figures[0] == ["AUC", f"{measured:.4f}", f"{measured:.4f}", "+0.0000"]
    assert "not measured on the same test customers" not in page.text
    material.previous["settings"]["data_sha256"] = "ef" * 32
    assert "not measured on the same test customers" in build(material).text
    assert "no earlier blessed run" in build(replace(material, previous=None)).text


def test_cost_and_margin_move_the_advice(build, material):
    cheap, dear = build(material, cost=1, margin=100), build(material, cost=90, margin=100)
    assert "a call pays from a score of 1 % on" in cheap.text
    assert "a call pays from a score of 90 % on" in dear.text
    assert cheap.table("Profit")[0] == dear.table("Profit")[0] == ["0 %", "€0", "€0"]
    assert "Call the best-scored" in cheap.text
    none_pays = build(material, cost=200, margin=100).text
    assert "At this price no call pays" in none_pays
    assert "the best 0 %" not in none_pays


def test_cost_and_margin_stay_those_of_the_run_unless_others_are_given(build, material):
    now = {**material.summary, "settings": {**material.summary["settings"], "cost": 30.0, "margin": 200.0}}
    material = replace(material, summary=now)
    assert "a call pays from a score of 15 % on" in build(material).text
    assert "a call pays from a score of 5 % on" in build(material, cost=10).text


def test_a_choice_that_lost_on_test_is_no_advice(build, material):
    labels, probabilities = material.scores["test"]
    inverted = {**material.scores, "test": (labels, 1 - probabilities)}
    text = build(replace(material, scores=inverted), cost=10, margin=100).text
    assert "Do not plan with this share" in text
    assert "Call the best-scored" not in text
    assert "Do not plan with this share" not in build(material, cost=10, margin=100).text


def test_synthetic_data_is_said_before_anything_else_is_judged(build, material):
    material.summary["dataset"]["synthetic"] = True
    page = build(material)
    assert "ynthetic" in page.text
    assert page.text.index("ynthetic") < page.text.index("What changed")
    material.summary["dataset"]["synthetic"] = False
    assert "ynthetic" not in build(material).text.split("What changed")[0]


def test_all_text_is_in_a_landmark(build, material):
    material.summary["dataset"]["synthetic"] = True
    page = build(material)
    assert page.stray.split() == ["Skip", "to", "the", "report"]


def test_a_model_that_was_not_blessed_says_which_bound_failed(build, material):
    gate = {"blessed": False, "probe": "-"}
    gate["checks"] = [
        {"metric": "auc", "value": 0.6123, "bound": 0.7, "passed": False},
        {"metric": "accuracy_gain", "value": None, "bound": 0.003, "passed": False},
    ]
    now = {**material.summary, "gate": gate, "pushed": None}
    text = build(replace(material, summary=now)).text
    first_screen = text.split("What changed")[0]
    assert "ot blessed" in first_screen
    assert "0.6123" in first_screen
    assert "0.7" in first_screen


def test_a_run_without_the_optional_parts_says_so(build, material):
    now = {**material.summary, "comparison": None}
    bare = replace(
        material,
        summary=now,
        previous=None,
        trials=[],
        importance=None,
        slices=[],
        drift={},
        backtest=None,
        artifacts=[],
    )
    text = build(bare).text
    assert "--no-benchmark" in text
    assert "Tuner did not run" in text
    assert "not measured in this run" in text
    assert "python -m pipeline.backtest" in text


def test_the_command_for_a_backtest_is_one_that_works(build, material):
    def text(settings=(), **dataset):
        now = {**material.summary, "dataset": {**material.summary["dataset"], "synthetic": False, **dataset}}
        now["settings"] = {**material.summary["settings"], **dict(settings)}
        return build(replace(material, summary=now, backtest=None)).text

    assert "pipeline.backtest --data '/my calls/a.csv'" in text(source="/my calls/a.csv")
    assert "--with-duration" in text({"with_duration": True})
    assert "--contract loans.yaml" in text(contract="loans")
    unordered = text(row_order="none")
    assert "pipeline.backtest" not in unordered
    assert "in no order of dates" in unordered


def test_rows_set_aside_are_listed_with_their_reasons(build, material, tmp_path):
    file = tmp_path / "quarantine.csv"
    file.write_text("file,line,reason\n" + "".join(f"a.csv,{n},<b>bad</b>\n" for n in range(2, 40)))
    page = build(replace(material, quarantine=file))
    listed = page.table("Rows set aside")
    assert len(listed) == 20
    assert listed[0] == ["a.csv", "2", "<b>bad</b>"]


def test_anomalies_are_listed(build, material):
    assert "No anomalies" in build(material).text
    text = build(replace(material, anomalies=["train: column 'job': <i>odd</i>"])).text
    assert "No anomalies" not in text
    assert "train: column 'job': <i>odd</i>" in text


def test_a_run_of_an_older_version_has_a_page(build, material):
    now = {key: value for key, value in material.summary.items() if key not in ("settings", "comparison")}
    text = build(replace(material, summary=now, card={}, history=None)).text
    assert "--no-benchmark" in text
    assert "not in a git checkout" in text


def test_what_a_backtest_found_cautions_on_the_first_screen(build, material):
    first_screen = build(material).text.split("What changed")[0]
    assert "Figures are of customers held out at random" in first_screen
    assert f"{material.backtest['mean']['expanding']['auc']:.2f}" in first_screen
    assert "Expect less" in build(replace(material, backtest=None)).text.split("What changed")[0]
    material.summary["dataset"]["split"] = "time"
    assert "held out at random" not in build(material).text.split("What changed")[0]


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_test_split_of_one_label_has_a_page_without_curves(build, material, label):
    labels, probabilities = material.scores["test"]
    one = (np.full_like(labels, label), probabilities)
    now = copy.deepcopy(material.summary)
    now["metrics"]["test"] = metrics(one)
    now["comparison"] = [{**model, "metrics": metrics(one)} for model in now["comparison"]]
    page = build(replace(material, summary=now, scores={**material.scores, "test": one}))
    assert "nothing can be said about the ranking" in page.text
    assert not {"nan", "None"} & page.cells


def test_spans_of_one_label_leave_gaps_in_the_backtest(build, material):
    unknown = dict.fromkeys(metrics(material.scores["test"]))
    span = {**material.backtest["spans"][0], **dict.fromkeys(("static", "expanding", "rolling"), unknown)}
    page = build(replace(material, backtest={**material.backtest, "spans": [span, *material.backtest["spans"]]}))
    assert not {"nan", "None"} & page.cells
