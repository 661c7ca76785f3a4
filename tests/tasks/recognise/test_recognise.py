"""Recognition: figures by hand, the nearest neighbour, and the linear probe as a convex problem."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.tasks.recognise import Classes, Head, class_scores, fit_head, fit_probe, nearest

seeds = st.integers(0, 2**32 - 1)
THREE = Classes(("a", "b", "c"))


@given(seeds)
def test_figures_are_those_of_counting(seed):
    rng = np.random.default_rng(seed)
    true, answer = rng.integers(0, 4, 50), rng.integers(-1, 4, 50)
    found = class_scores(true, answer, 5)
    assert found.accuracy == pytest.approx(np.mean(true == answer))
    for c in range(5):
        hit = np.sum((true == c) & (answer == c))
        precision, recall = hit / max(np.sum(answer == c), 1), hit / max(np.sum(true == c), 1)
        expected = 2 * precision * recall / max(precision + recall, 1e-300)
        assert (np.isnan(found.f1[c]) and c == 4) or found.f1[c] == pytest.approx(expected)
    assert found.confusion.sum() + found.unanswered.sum() == 50
    assert found.unanswered.sum() == np.sum(answer == -1)


def test_macro_f1_weighs_rare_classes_like_common_ones():
    # Everything is called common: accuracy looks well, macro F1 does not.
    found = class_scores(np.array([0] * 98 + [1, 2]), np.zeros(100, int), 3)
    assert found.accuracy == 0.98
    assert found.macro_f1 == pytest.approx(2 * 98 / 198 / 3)


@given(seeds)
def test_the_nearest_is_found_whatever_the_lengths_and_the_order(seed):
    rng = np.random.default_rng(seed)
    known, asked = rng.normal(size=(20, 4)), rng.normal(size=(7, 4))
    label = rng.integers(0, 3, 20)
    cosines = (asked @ known.T) / np.linalg.norm(known, axis=1)
    expected = label[np.argmax(cosines, axis=1)]
    order = rng.permutation(20)
    assert (nearest(known, label, asked * 5) == expected).all()
    assert (nearest(3 * known[order], label[order], asked) == expected).all()


def clouds(rng, count, spread=1.0):
    label = rng.integers(0, 3, count)
    centre = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    noise = rng.normal(size=(count, 40))  # most features say nothing
    return np.concatenate([centre[label] + spread * rng.normal(size=(count, 3)), 3 * noise + 50], axis=1), label


def objective(head, x, y, ridge):
    """What the fit minimises, written naively on scaled features."""
    logits = head.logits(x)
    loss = -np.log(
        [np.exp(row - row.max())[c] / np.exp(row - row.max()).sum() for row, c in zip(logits, y, strict=True)]
    )
    return loss.mean() + 0.5 * ridge * np.sum((head.weight * x.std(axis=0)) ** 2)


def test_no_other_head_is_better():
    rng = np.random.default_rng(0)
    x, y = clouds(rng, 150)
    head = fit_head(x, y, THREE, 0.01)
    best = objective(head, x, y, 0.01)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            other = Head(THREE, head.weight + size * rng.normal(size=head.weight.shape) / x.std(axis=0), head.bias)
            assert objective(other, x, y, 0.01) > best - 1e-7


def test_one_class_in_two_of_equal_shares_has_the_logistic_answer():
    # Without features that differ, the head gives the shares of the classes.
    x, y = np.ones((40, 2)), np.array([0] * 30 + [1] * 10)
    head = fit_head(x, y, Classes(("a", "b")), 0.1)
    logits = head.logits(x[:1])[0]
    assert logits[0] - logits[1] == pytest.approx(np.log(3), abs=1e-4)


def test_scaling_and_shifting_features_changes_no_answer():
    rng = np.random.default_rng(1)
    x, y = clouds(rng, 200)
    asked, _ = clouds(rng, 300)
    scale, shift = rng.uniform(0.01, 100, 43), rng.normal(size=43) * 10
    first = fit_head(x, y, THREE, 0.01).logits(asked)
    second = fit_head(x * scale + shift, y, THREE, 0.01).logits(asked * scale + shift)
    assert second == pytest.approx(first, abs=1e-3)


def test_validation_chooses_a_ridge_that_generalises():
    rng = np.random.default_rng(2)
    train, valid, test = clouds(rng, 90), clouds(rng, 300), clouds(rng, 1000)
    probe = fit_probe(train, valid, THREE, ridges=(1e-4, 1e-2, 1e-1))
    accuracy = {r: np.mean(fit_head(*train, THREE, r).answers(test[0]) == test[1]) for r in probe.valid_accuracy}
    assert probe.ridge > 1e-3  # 40 useless features on 90 windows overfit without it
    assert accuracy[probe.ridge] > max(accuracy.values()) - 0.02
    assert accuracy[probe.ridge] > accuracy[1e-4] + 0.05
    assert probe.valid_accuracy[probe.ridge] == max(probe.valid_accuracy.values())


def test_a_head_is_what_a_linear_layer_holds():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    rng = np.random.default_rng(3)
    head = Head(THREE, rng.normal(size=(3, 5)), rng.normal(size=3))
    layer = torch.nn.Linear(5, 3, dtype=torch.float64)
    layer.load_state_dict({k: torch.from_numpy(v) for k, v in head.state().items()})
    x = rng.normal(size=(7, 5))
    assert layer(torch.from_numpy(x)).detach().numpy() == pytest.approx(head.logits(x))
    again = Head.from_state(THREE, {k: v.numpy() for k, v in layer.state_dict().items()})
    assert (again.answers(x) == head.answers(x)).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: THREE.indices(["a", "d", "e"], "test"), "test: 'd', 'e' does not occur in training"),
        (lambda: THREE.indices([], "valid"), "valid: there is nothing"),
        (lambda: Classes.of(["a", "a"]), "no choice"),
        (lambda: Classes(("a", "b", "a")), "no choice"),
        (lambda: class_scores(np.array([0, 3]), np.array([0, 0]), 3), "index 3"),
        (lambda: class_scores(np.array([0, -1]), np.array([0, 0]), 3), "index -1"),
        (lambda: class_scores(np.array([0]), np.array([-2]), 3), "index -2"),
        (lambda: class_scores(np.array([], int), np.array([], int), 3), "not empty"),
        (lambda: nearest(np.ones((0, 2)), np.array([], int), np.ones((1, 2))), "neither may be none"),
        (lambda: nearest(np.ones((2, 2)), np.array([0]), np.ones((1, 2))), "do not fit"),
        (lambda: fit_head(np.ones((0, 2)), np.array([], int), THREE, 0.1), "training split"),
        (lambda: fit_head(np.ones((2, 2)), np.array([0, 3]), THREE, 0.1), "run from 0 to 3"),
        (lambda: fit_head(np.full((2, 2), np.nan), np.array([0, 1]), THREE, 0.1), "not finite"),
        (
            lambda: fit_probe((np.ones((2, 2)), np.array([0, 1])), (np.ones((0, 2)), np.array([], int)), THREE),
            "validation split",
        ),
        (lambda: Head(THREE, np.ones((2, 5)), np.ones(3)), "A head of 3 classes"),
        (lambda: Head(THREE, np.ones((3, 5)), np.ones(3)).logits(np.ones((1, 4))), "takes embeddings"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(InputError, match=says) as error:
        call()
    assert error.value.fix
