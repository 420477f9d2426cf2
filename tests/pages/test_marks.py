"""Colours of groups can be told from the paper and from each other, and small pictures only repeat a text."""

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import pages
from pages.marks import COLOURS, Key, badge, bar, group_style, position

STYLE = (Path(pages.__file__).parent / "style.css").read_text(encoding="utf-8")
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""Matrices of Machado, Oliveira and Fernandes (2009) for linear RGB, severity 1."""
DISTINCT = 0.05
"""Distance in OKLab; about 0.02 can just be noticed."""


def themes() -> list[dict[str, np.ndarray]]:
    """Colours by name of each theme, linear RGB: light, dark, print."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.S)
    return [
        {name: linear(colour) for name, colour in re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block)}
        for block in blocks
    ]


def linear(colour: str) -> np.ndarray:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    values = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """As in WCAG 2."""
    low, high = sorted(float(colour @ [0.2126, 0.7152, 0.0722]) + 0.05 for colour in (one, other))
    return high / low


def oklab(colour: np.ndarray) -> np.ndarray:
    """Ottosson (2020)."""
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    lab = [
        [0.2104542553, 0.793617785, -0.0040720468],
        [1.9779984951, -2.428592205, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.808675766],
    ]
    return np.array(lab) @ np.cbrt(np.array(cones) @ colour)


@pytest.mark.parametrize("theme", range(3), ids=["light", "dark", "print"])
def test_the_colours_of_groups_stand_out_from_the_paper(theme):
    colours = themes()[theme]
    for number, paper in itertools.product(range(COLOURS), ("paper", "card")):
        assert contrast(colours[group_style(number)], colours[paper]) >= 3, (number, paper)


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("theme", range(3), ids=["light", "dark", "print"])
def test_the_colours_of_groups_can_be_told_apart_with_any_usual_colour_blindness(theme, blindness):
    colours = [themes()[theme][group_style(number)] for number in range(COLOURS)]
    seen = [oklab((np.array(BLINDNESS[blindness]) @ colour).clip(0, 1)) for colour in colours]
    for one, other in itertools.combinations(range(COLOURS), 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= DISTINCT, (one, other)


@pytest.mark.parametrize("picture", [badge(3), bar(0.4, "c3", (0.3, 0.5), 0.2), position(0.9, "c3")])
def test_small_pictures_are_for_the_eye_only(picture):
    assert ET.fromstring(picture).get("aria-hidden") == "true"


@pytest.mark.parametrize("value", [-0.2, 0.0, 0.4, 1.0, 3.0])
def test_a_bar_is_as_long_as_its_share_within_its_track(value):
    track, filled = ET.fromstring(bar(value, "c0")).iter("rect")
    share = float(filled.get("width", "")) / float(track.get("width", ""))
    assert share == pytest.approx(min(max(value, 0), 1), abs=0.01)


def test_a_key_has_the_number_of_its_group():
    assert ">7</text>" in Key.mark("seventh", 7).picture
