"""Chapter 6: the shipped flow models are as good in few steps as the page says."""

import pytest
import torch

from core import seeds
from core.diffusion import couplings
from core.lessons import few_steps, flow_training
from core.lessons.few_steps import CHORDS, MEAN, MEAN_INDEPENDENT, MODELS, REFLOW, TRANSPORT, VELOCITY
from core.metrics import distance_to_curve
from core.models import flows
from core.models.flows import FlowConfig
from core.pretrained import FLOW_CONFIGS, FOLDER, SPIRAL_FLOWS, pretrained
from pages.ui.frame.text import catalogue

CHANCE = 0.02  # between two Wasserstein distances of 2,000 samples
every_model = pytest.mark.parametrize("name", MODELS)


@pytest.mark.parametrize("name", FLOW_CONFIGS)
def test_a_shipped_flow_was_made_by_the_configuration_that_is_committed(name):
    stored, config = pretrained(name).config, FLOW_CONFIGS[name][2]
    assert FlowConfig(**stored["flow"]) == config and pretrained(name).state.step == config.steps
    assert (FOLDER / name / "log.csv").read_text().splitlines()[-1].startswith(f"{config.steps},")


@every_model
def test_what_is_recorded_is_what_a_model_does(name):
    clouds = [few_steps.sample(name, 1, few_steps.SAMPLES, seed)[-1] for seed in range(few_steps.SEEDS)]
    distance = sum(distance_to_curve(cloud, few_steps.points().curve).mean().item() for cloud in clouds) / len(clouds)
    assert few_steps.recorded_accuracy(name, 1).distance == pytest.approx(distance, rel=0.02)
    straight = couplings.straightness(few_steps.sample(name, 64, few_steps.SAMPLES))
    assert few_steps.recorded()[name]["straightness"] == pytest.approx(straight, rel=0.02)


def test_the_recorded_wasserstein_distance_is_that_of_three_clouds():
    clouds = [few_steps.sample(REFLOW, 1, few_steps.SAMPLES, seed)[-1] for seed in range(few_steps.SEEDS)]
    found = few_steps.mean_accuracy(clouds)
    assert few_steps.recorded_accuracy(REFLOW, 1).wasserstein == pytest.approx(found.wasserstein, rel=0.02)


@pytest.mark.parametrize(
    ("name", "calls", "wasserstein", "distance"),
    [
        (VELOCITY, 1, 1.35, 0.23),
        (VELOCITY, 2, 0.73, 0.21),
        (VELOCITY, 4, 0.47, 0.15),
        (TRANSPORT, 1, 0.17, 0.09),
        (TRANSPORT, 2, 0.14, 0.034),
        (TRANSPORT, 4, 0.135, 0.016),
        (REFLOW, 1, 0.15, 0.03),
        (CHORDS, 1, 0.15, 0.04),
        (MEAN, 1, 0.15, 0.06),
        (MEAN, 2, 0.135, 0.025),
        (MEAN, 4, 0.13, 0.016),
    ],
)
def test_a_model_comes_as_close_to_the_data_as_it_should(name, calls, wasserstein, distance):
    """Wasserstein distances were aimed at where fresh draws had 0.15, by chance; here they have what is recorded."""
    found, shift = few_steps.recorded_accuracy(name, calls), few_steps.recorded()["floor"][0] - 0.15
    assert found.wasserstein <= wasserstein + shift + CHANCE
    assert found.distance <= 1.15 * distance


def test_samples_at_one_place_of_the_curve_are_far_from_the_data_though_not_from_the_curve():
    curve, (fresh, _) = few_steps.points().curve, few_steps.points().sample(few_steps.SAMPLES, seeds.generator(3))
    nearest = min((fresh - place).square().sum(1).mean().sqrt().item() for place in curve[:: len(curve) // 50])
    assert nearest >= catalogue("")["measured"]["flow_matching"]["collapsed_w"] == pytest.approx(2**0.5, abs=0.02)


def test_plain_meanflow_is_worse_in_one_step_than_with_optimal_transport():
    plain, coupled = (few_steps.recorded_accuracy(name, 1) for name in (MEAN_INDEPENDENT, MEAN))
    assert plain.distance > 1.5 * coupled.distance


def test_paths_of_reflow_and_of_optimal_transport_are_straight_and_those_of_independent_pairs_are_not():
    straight = {name: few_steps.recorded()[name]["straightness"] for name in MODELS}
    assert straight[VELOCITY] == pytest.approx(1.0, abs=0.05)
    assert straight[REFLOW] <= 0.001 and straight[TRANSPORT] <= 0.01


def test_the_chord_ends_where_the_path_ends_and_the_tangent_does_not():
    times = torch.tensor([0.98, 0.7, 0.05])
    tangent, chord, path = few_steps.from_place(CHORDS, (0.8, -0.9), times)
    missed = [(end - path[:, -1]).norm(dim=1) for end in (tangent, chord)]
    assert missed[1].max() < 0.2 and missed[0][0] > 3 * missed[1][0]
    assert missed[0][-1] < 0.1  # at the end of the way chord and tangent agree


@pytest.mark.slow
def test_paths_become_straight_when_a_model_is_trained_on_its_own():
    config = FlowConfig(own_paths_from=600, paths=2_000, steps=850, decay="root")
    taken = {}
    for progress in flows.run(config, few_steps.points()):
        if progress.state.step in (600, 850):
            taken[progress.state.step] = flow_training.Snapshots()(progress).straightness
    assert taken[600] > 0.5 and taken[850] < 0.05


def test_the_path_forward_and_the_path_back_are_inverse():
    denoise = pretrained("moons-to-spiral").denoiser
    source = flows.source_of(pretrained("moons-to-spiral").config)
    place = tuple(source.sample(1, seeds.generator(5))[0][0].tolist())
    forward, _ = flow_training.paths_through(denoise, place, 128)
    _, back = flow_training.paths_through(denoise, tuple(forward[-1].tolist()), 128)
    assert (back[-1] - torch.tensor(place)).norm() < 0.15
    assert distance_to_curve(forward[-1:], few_steps.points().curve) < 0.1


def test_all_flows_of_the_spiral_are_compared():
    assert set(few_steps.recorded()) == {"floor", *SPIRAL_FLOWS}
