"""The rule that chooses among candidates, at its edges."""

import dataclasses

import pytest

from analysis.segmentation import Candidate, CandidateFigures
from modules.segments import rule


def _figures(method="kmeans", representation="columns", clusters=3, **changes):
    figures = CandidateFigures(
        candidate=Candidate(method, representation, clusters),
        loss=1.0,
        silhouette=0.3,
        macro_silhouette=0.3,
        macro_error=0.01,
        full_silhouette=0.3,
        full_macro_silhouette=0.3,
        null_silhouette=0.1,
        null_deviation=0.02,
        gap=0.5,
        gap_error=0.01,
        davies_bouldin=1.0,
        calinski_harabasz=100.0,
        stability=0.9,
        seed_stability=1.0,
        smallest=0.2,
        largest=0.5,
    )
    changed = dataclasses.replace(figures, **changes)
    return dataclasses.replace(changed, refusals=rule.refusals(changed))


@pytest.mark.parametrize(
    ("changes", "refusals"),
    [
        ({}, ()),
        ({"macro_silhouette": 0.141}, ()),
        ({"macro_silhouette": 0.14, "null_deviation": 0.021}, (rule.NOT_CLEARER,)),
        ({"macro_silhouette": 0.11, "null_silhouette": 0.0975, "null_deviation": 0.001}, ()),
        ({"macro_silhouette": 0.029, "null_silhouette": 0.02, "null_deviation": 0.001}, (rule.NOT_CLEARER,)),
        ({"macro_silhouette": 0.56, "null_silhouette": 0.5, "null_deviation": 0.001}, ()),
        ({"macro_silhouette": 0.54, "null_silhouette": 0.5, "null_deviation": 0.001}, (rule.NOT_CLEARER,)),
        ({"macro_silhouette": 0.05, "null_deviation": 0.0}, (rule.NOT_CLEARER,)),
        ({"stability": 0.8}, ()),
        ({"stability": 0.7999}, (rule.UNSTABLE,)),
        ({"seed_stability": 0.8}, ()),
        ({"seed_stability": 0.7999}, (rule.SEED_DEPENDENT,)),
        ({"smallest": 0.02}, ()),
        ({"smallest": 0.0199}, (rule.TOO_SMALL,)),
        (
            {"macro_silhouette": 0.0, "stability": 0.0, "smallest": 0.0},
            (rule.NOT_CLEARER, rule.UNSTABLE, rule.TOO_SMALL),
        ),
        ({"macro_silhouette": float("nan"), "stability": float("nan")}, (rule.NOT_CLEARER, rule.UNSTABLE)),
    ],
)
def test_a_candidate_is_refused_for_each_condition_it_misses(changes, refusals):
    assert _figures(**changes).refusals == refusals


def test_the_best_macro_silhouette_in_its_own_space_wins():
    figures = [_figures(clusters=2), _figures(clusters=4, macro_silhouette=0.35), _figures(clusters=5)]
    assert rule.choose(figures).candidate.clusters == 4


def test_of_equal_ones_to_three_digits_fewer_segments_win():
    figures = [_figures(clusters=4, macro_silhouette=0.3004), _figures(clusters=2, macro_silhouette=0.2996)]
    assert rule.choose(figures).candidate.clusters == 2
    figures = [_figures(clusters=4, macro_silhouette=0.3006), _figures(clusters=2, macro_silhouette=0.3004)]
    assert rule.choose(figures).candidate.clusters == 4


def test_spaces_are_compared_in_the_space_of_all_columns():
    code = _figures(representation="autoencoder", clusters=2, macro_silhouette=0.8, full_macro_silhouette=0.1)
    components = _figures(representation="pca", clusters=3, macro_silhouette=0.5, full_macro_silhouette=0.32)
    assert rule.choose([_figures(), code, components]) == components


def test_a_space_is_represented_by_its_own_best_even_if_another_is_better_in_all_columns():
    own_best = _figures(representation="pca", clusters=3, macro_silhouette=0.5, full_macro_silhouette=0.2)
    other = _figures(representation="pca", clusters=4, macro_silhouette=0.4, full_macro_silhouette=0.6)
    assert rule.choose([own_best, other]) == own_best


def test_of_spaces_alike_the_first_one_tried_wins():
    figures = [_figures(), _figures(representation="pca"), _figures("kmedoids")]
    assert rule.choose(figures) == figures[0]


def test_an_acceptable_candidate_wins_over_a_better_refused_one():
    refused = _figures(clusters=2, macro_silhouette=0.9, full_macro_silhouette=0.9, stability=0.5)
    assert rule.choose([refused, _figures()]) == _figures()


def test_where_none_is_acceptable_the_best_of_all_is_shown_with_its_refusals():
    figures = [_figures(stability=0.5), _figures(clusters=2, stability=0.6, macro_silhouette=0.4)]
    chosen = rule.choose(figures)
    assert chosen.candidate.clusters == 2
    assert rule.reason(chosen, figures) == (
        "None of 2 candidates is acceptable; the best is K-Means on transformed columns, 2 segments, "
        "but segments change from sample to sample."
    )


def test_the_reason_names_the_choice_and_what_speaks_for_it():
    figures = [_figures(), _figures(clusters=2, stability=0.6)]
    assert rule.reason(rule.choose(figures), figures) == (
        "K-Means on transformed columns, 3 segments: the best of 1 acceptable candidates among 2; "
        "macro silhouette 0.300 against 0.100 in shuffled data, stability 0.90."
    )
