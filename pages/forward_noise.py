"""Chapter 1: an image is a point, and noise takes it for a walk."""

import streamlit as st
import torch

from core import seeds
from core.data import images, points
from core.diffusion import forward, schedules
from core.figures.scene import Clock, Panel
from pages.ui.frame import shell_old as shell
from pages.ui.lessons import forward_noise as forward_noise_scenes
from pages.ui.lessons.forward_noise import TIMETABLES, Noise
from pages.ui.stage.player import newest_probe, stage

VIEWS = {"Variance preserving": "vp", "Variance exploding": "ve", "Straight line": "flow"}
ALPHA = {"vp": r"1/\sqrt{1+\sigma_t^2}", "ve": "1", "flow": r"1/(1+\sigma_t)"}
START = (0.6, -0.4)


def two_pixels() -> None:
    """One image of two pixels, as a point of the plane and as two grey squares."""
    alt = (
        f"An image of two pixels, of brightness {point[0]:.2f} and {point[1]:.2f}, as a point of the plane and as two "
        "grey squares. As the clock runs the point walks at random and the squares change with it."
    )
    show(forward_noise_scenes.two_pixels(noise, here), alt)
    shell.notes([
        ("data", "**This dot is a picture of two pixels.** Its place to the right is the brightness of the left "
                 "pixel, its height that of the right one: −1 is black, 1 is white. Drag it and watch the squares."),
        ("sample", "**Noise takes the dot for a walk.** In each step both brightnesses change by a small random "
                   "amount. Play the clock: dot and squares move together, for they are the same two numbers."),
        ("grid", "**Outside the dashed square** nothing is darker or brighter than a screen can show: the squares "
                 "stay black or white. A photograph of a million pixels is one dot too, in a space of a million axes. "
                 "Nothing else changes."),
    ])  # fmt: skip
    shell.equation([(r"x_0 = (\text{left},\,\text{right})", "data"), (r"\qquad", None), *noised()], legend())
    shell.code(forward.random_walk, images.pixels)


def walk_and_jump() -> None:
    """Many small steps and one jump, two hundred times each, and how different the two clouds are."""
    x0 = here.expand(200, 2)
    if source == "the data":
        x0 = points.make_points(data, 200).sample(200, seeds.generator(seed))[0].double()
    beside = " and 200 single jumps; beside them the distance between the two clouds over time" if jumping else ""
    number = "one step" if steps == 1 else f"{steps} steps"
    panels = forward_noise_scenes.walk_and_jump(noise, x0, f"200 times from {source}", stride, jumping)
    start = -1 if view != "ve" else int((noise.sigma < 2).sum()) - 1  # there the end is far outside the picture
    show(panels, f"200 random walks of {number} from {source}{beside}.", start)
    walks = f"**Walks** of {number}: each step adds a little fresh noise, whichever way. The line is one walk."
    if view != "ve":
        walks += " Everything, $x_0$ too, shrinks to the middle by $\\alpha_t$ as the noise grows: see *View*."
    jumps = "**Jumps** are still to come: say what you expect of them, then switch them on."
    step = (r"x_{i+1} = x_i + \sqrt{\sigma_{i+1}^2-\sigma_i^2}\;\varepsilon_i", "sample")
    if not jumping:
        shell.notes([("sample", walks), ("noise", jumps)])
        shell.equation([step])
        shell.code(forward.random_walk)
        return
    jumps = "**Jumps** add all their noise at once: the arrow is one of them. "
    chance = ("**The same?** The solid curve is the distance between the two clouds. Below the dashed line it is no "
              "larger than chance makes it between two clouds of jumps, 19 times in 20. Change the step length, and it "
              "rises.")  # fmt: skip
    if stride == 1:
        jumps += ("A jump does not end where a walk ends, and yet the two *clouds* are the same: Gaussian steps add up "
                  "to one Gaussian step, and their variances add.")  # fmt: skip
    else:
        chance = (f"**Not the same.** Each step is {stride:g} times as long as the schedule asks: the cloud of walks "
                  f"is too {'wide' if stride > 1 else 'narrow'}, and its distance from the jumps rises above what "
                  "chance makes.")  # fmt: skip
    shell.notes([("sample", walks), ("noise", jumps), ("exact", chance)])
    shell.equation([step, (r"\quad\Longrightarrow\quad", None), *noised("")], legend())
    shell.code(forward.random_walk, forward.jump)


def dissolve() -> None:
    """A cloud with its density, and a real image, under the same schedule."""
    photo, cloud = images.picture(image).double(), points.make_points(data, 300).points.double()
    shape = points.make_points(data, 1500).points if shaded else None
    show(
        forward_noise_scenes.dissolving(noise, data, cloud, shape, photo),
        f"The {data} spreads into a round cloud as t goes from 0 to 1, and the picture of a {image} turns to grain.",
        start=int((noise.sigma < 0.25).sum()),
    )
    shell.notes([
        ("sample", f"**Each ring is a picture of two pixels on its own walk.** At t = 0 they are the {data}; at t = 1 "
                   "nobody can tell which ring began where."),
        ("data", "**The shading is their density**: where rings are likely at this noise, computed from 1,500 points. "
                 "Noise blurs it as ever thicker glass would: detail goes first, the outline last."),
        ("sample", f"**The {image} is one dot, too**, in a space of {photo.numel():,} dimensions, under the same "
                   "schedule. The arms of a spiral may have run together and you still see what the picture is: it "
                   "has more numbers to tell it by."),
    ])  # fmt: skip
    shell.equation(noised(), legend())
    shell.code(forward.random_walk, forward.density)


def timetables() -> None:
    """The same cloud under each schedule at the same t, and log-SNR over t."""
    alt = (
        f"The {data} under five schedules at the same t, and the logarithm of signal over noise of each over t: it "
        "falls from about 10 to about −10, log-linear in a straight line, the others steeply at one end or at both."
    )
    show(forward_noise_scenes.timetables(noise, points.make_points(data, 250).points.double()), alt, start=25)
    shell.notes([
        (TIMETABLES[schedule],
         "**One road, five timetables.** All five clouds go the same way with the same noise; a schedule only says how "
         "much noise there is at which t. Two clouds of equal σ are the same picture."),
        ("grid", "**The curves** say how much is left to see: the logarithm of signal over noise. On the grey line "
                 "there is as much noise as signal; above it you see the data, far below it nothing."),
        ("conditional", "**Where a curve is flat, time stands still**, and there a network learns most and a sampler "
                        "takes most of its steps: with cosine where noise and signal are about equal, with log-linear "
                        "everywhere alike."),
    ])  # fmt: skip
    shell.equation([(r"\log\mathrm{SNR}(t) = \log\frac{1}{\sigma_t^2}", None), (r"\qquad", None), *noised()], legend())
    shell.code(schedules.log_snr, forward.jump)


def show(panels: list[Panel], alt: str, start: int = 0) -> None:
    """The panels on one clock, t from 0 to 1 in about six seconds."""
    with picture:
        stage(panels, Clock(noise.t, "t", 2, start), key="forward", alt=alt, probe=point if panels[0].probe else None,
              fps=max(2, steps / 6), permalink=True, restart=(scene, steps))  # fmt: skip


def noised(alpha: str = r"\alpha_t") -> list[tuple[str, str | None]]:
    """x_t in one jump, each term in the colour of what it stands for."""
    signal, noise = (alpha + " x_0", "data"), (alpha + r"\sigma_t\varepsilon", "noise")
    return [("x_t", "sample"), ("=", None), signal, ("+", None), noise]


def legend() -> list[tuple[str, str]]:
    """What the terms are."""
    return [
        ("data", "the image"),
        ("noise", r"a normal random number for each pixel, times the noise level $\sigma_t$"),
        ("sample", rf"the noised image; this view draws it at the scale ${{\alpha_t = {ALPHA[view]}}}$"),
    ]


def place(raw: str) -> tuple[float, float]:
    """A point of the plane from the address: "0.5,-0.5"."""
    x, y = map(shell.between(-5.8, 5.8), raw.split(","))
    return x, y


SCENES = {"Two pixels": two_pixels, "Walk and jump": walk_and_jump, "Dissolve": dissolve, "Schedules": timetables}

shell.require_shell()
shell.chapter(1, "An image is a point", "Noise moves the point at random, until nothing in it tells where it began.")
controls, picture = shell.picture()
with picture:
    scene = shell.segmented("Scene", list(SCENES), default="Two pixels", key="scene", label_visibility="collapsed")
point = newest_probe("forward") or shell.param("start", place, START)
shell.set_param("start", None if point == START else f"{point[0]:g},{point[1]:g}")
here, data, steps, stride, jumping = torch.tensor(point, dtype=torch.float64), "spiral", 100, 1.0, False
with controls:
    if scene == "Walk and jump":
        ask = "From each point a hundred small random steps, or one big random jump: do they give the same cloud?"
        answers = ("no, walks stay nearer the start", "no, walks get farther away", "yes, exactly the same cloud")
        why = "A hundred independent Gaussian steps add up to one Gaussian step, whose variance is the sum of theirs."
        if shell.predict("guess", ask, answers, 2, why):
            jumping = shell.toggle("Jump as well", key="jumps")
        source = shell.segmented("Start from", ("one point", "the data"), default="one point", key="from")
        left, right = st.columns(2)
        with left:
            steps = shell.select_slider("Steps", (1, 2, 5, 10, 20, 50, 100, 200), 100, key="steps")
        with right:
            stride = shell.select_slider("Step length", (0.5, 0.7, 1.0, 1.4, 2.0), 1.0, key="stride")
    else:
        shell.param("guess", str, None)  # an answer stays in the address while another scene is on
    if scene == "Dissolve":
        image = shell.selectbox("Picture", images.PICTURES, key="image")
        shaded = shell.toggle("Density under the cloud", True, key="density")
    schedule = shell.selectbox("Schedule", list(TIMETABLES), key="schedule", help="How much noise there is at which t.")
    view = VIEWS[shell.selectbox("View", list(VIEWS), key="view",
                                 help="The same process at another scale. Preserving: all shrinks as the noise grows, "
                                      "and fits. Exploding: nothing shrinks, and the noise grows out of the window. "
                                      "Straight line: from image to noise at constant speed, as rectified flow has "
                                      "it.")]  # fmt: skip
    left, right = st.columns(2)
    with left:
        seed = shell.number("Seed", 0, 9999, 0, key="seed")
    with right:
        if scene != "Two pixels":
            data = shell.selectbox("Data", list(points.BUILT_IN), key="data")
noise = Noise(schedules.make_schedule(schedule), steps, view, seed)
SCENES[scene]()
if scene == "Walk and jump":
    with picture:
        shell.explain("guess", seen=jumping and stride == 1)

quarter = {name: schedules.make_schedule(name).sigma(torch.tensor(0.25)).item() for name in TIMETABLES}
shell.tasks([
    ("Two pixels: move the image so that its left pixel is almost black and its right one almost white.",
     point[0] < -0.8 and point[1] > 0.8, "Left is darker for the first pixel, up is brighter for the second."),
    ("Walk and jump: find the smallest number of steps that still gives the cloud of the jumps.",
     jumping and steps == 1 and stride == 1, "Is a walk of a single step not a jump?"),
    ("Schedules: choose the one under which the data are easiest to see at t = 0.25.",
     schedule == min(quarter, key=quarter.get), "Least noise is the highest curve."),
])  # fmt: skip
shell.finish()
