"""Films grow by a frame a step, and files give back the arrays of the model that is asked for."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from core.diffusion.samplers import SamplerConfig, run
from core.lessons import films
from core.lessons.films import Film
from core.problems import Problem


@dataclass(frozen=True)
class Request:
    steps: int = 3

    @property
    def frames(self) -> int:
        return self.steps + 1


def film_of(request: Request, seen: tuple[int, ...]) -> Film:
    film = Film(request)
    for step in run(SamplerConfig("ddim", request.steps), lambda x, sigma: 0.5 * x, torch.ones(1, 1, 2, 2)):
        film = film.add_step(step, step.i in seen)
    return film


def test_a_film_has_a_frame_for_each_step_that_is_seen_and_ends_with_the_images():
    whole, part = film_of(Request(), (0, 1, 2)), film_of(Request(), (0, 2))
    assert whole.done and len(part.x) == 3 and not part.done
    assert torch.equal(whole.images, whole.x0[-1]) and torch.equal(part.images, whole.images)
    assert whole.x[0].dtype == torch.uint8


def test_one_frame_can_be_taken_and_none_of_a_film_that_has_none():
    film = film_of(Request(), (0, 1, 2))
    assert torch.equal(film.at(2).images, film.x[2]) and len(film.at(2).x0) == 1
    assert Film(Request()).at(-1).x == ()


def test_requests_of_unequal_steps_have_no_common_clock():
    films.check_steps([Request(), Request()])
    with pytest.raises(Problem) as problem:
        films.check_steps([Request(), Request(4)])
    assert problem.value.code == "unequal_steps" and str(problem.value)


def test_a_file_gives_each_model_its_own_arrays(tmp_path):
    file, ones = tmp_path / "films.npz", np.ones(3, np.uint8)
    films.write(file, {"a": {"x": ones, "x0": 2 * ones}, "ab": {"x": 3 * ones}})
    assert films.has(file, "a") and not films.has(file, "c")
    found = films.read(file, "a")
    assert set(found) == {"x", "x0"} and (found["x0"] == 2).all() and (films.read(file, "ab")["x"] == 3).all()
    assert films.read(file, "c") == {} == films.read(tmp_path / "none.npz", "a")
