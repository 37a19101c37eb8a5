"""Chapter 1: an image is a point, and noise takes it for a walk."""

from functools import partial

import streamlit as st
import torch
from torch import Tensor

from core import forward, schedules, seeds
from core.data import images, points
from pages.ui import shell
from pages.ui.stage import Arrows, Clock, Heat, Images, Line, Panel, Path, Points, newest_probe, stage

VIEWS = {"Variance preserving": "vp", "Variance exploding": "ve", "Straight line": "flow"}
ALPHA = {"vp": r"1/\sqrt{1+\sigma_t^2}", "ve": "1", "flow": r"1/(1+\sigma_t)"}
TIMETABLES = {"ddpm-linear": "denoise", "cosine": "conditional", "log-linear": "guided", "karras": "difference",
              "rectified-flow": "negative"}  # fmt: skip
LIMITS = (-2.9, 2.9)
GRID = torch.linspace(*LIMITS, 64, dtype=torch.float64)
SQUARE = [-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]
START = (0.6, -0.4)

kept = partial(st.cache_data, max_entries=32, show_spinner=False, hash_funcs={Tensor: lambda x: x.numpy().tobytes()})
chance, dissolving = kept(forward.chance), kept(forward.dissolving)


def two_pixels() -> None:
    """One image of two pixels, as a point of the plane and as two grey squares."""
    walk = drawn(forward.walk(here, sigma, seed))
    plane = [
        Line(*SQUARE, "grid", "black to white", dash=(5, 4)),
        Path(walk, "sample", "xₜ"),
        Points([point], "data", size=7, label="x₀"),
    ]
    squares = images.pixels(torch.stack([here.expand_as(walk), walk], 1))[:, :, None]
    brightness = [f"xₜ = ({left:+.2f}, {right:+.2f})".replace("-", "−") for left, right in walk.tolist()]
    show(
        Panel("The image as a point", plane, LIMITS, LIMITS, xlabel="brightness of the left pixel",
              ylabel="brightness of the right pixel", probe=True),
        Panel("The image as a picture", [Images(squares, 1, names=("x₀", "xₜ"))], caption=brightness),
        alt=f"An image of two pixels, of brightness {point[0]:.2f} and {point[1]:.2f}, as a point of the plane and as two grey "
        "squares. As the clock runs the point walks at random and the squares change with it.",
    )  # fmt: skip
    shell.notes([
        ("data", "**This dot is a picture of two pixels.** Its place to the right is the brightness of the left pixel, its height "
                 "that of the right one: −1 is black, 1 is white. Drag it and watch the squares."),
        ("sample", "**Noise takes the dot for a walk.** In each step both brightnesses change by a small random amount. Play the "
                   "clock: dot and squares move together, for they are the same two numbers."),
        ("grid", "**Outside the dashed square** nothing is darker or brighter than a screen can show: the squares stay black or "
                 "white. A photograph of a million pixels is one dot too, in a space of a million axes. Nothing else changes."),
    ])  # fmt: skip
    shell.equation([(r"x_0 = (\text{left},\,\text{right})", "data"), (r"\qquad", None), *noised()], legend())
    shell.code(forward.walk, images.pixels)


def walk_and_jump() -> None:
    """Many small steps and one jump, three hundred times each, and how different the two clouds are."""
    x0 = here.expand(300, 2) if source == "one point" else fresh(300, seed)
    walks, jumps = forward.walk(x0, stride * sigma, seed), forward.jump(x0, sigma, forward.direction(x0, seed))
    start = drawn(x0[:1].expand(len(sigma), 1, 2))
    cloud = [Points(drawn(walks)[:, 1:], "sample", alpha=0.6, label="walks"), Path(drawn(walks)[:, 0], "sample"),
             Points(start, "data", size=6, label="start")]  # fmt: skip
    if jumping:
        cloud[1:1] = [Points(drawn(jumps)[:, 1:], "noise", label="jumps")]
        if source == "one point":
            rim = drawn(forward.circle(here, sigma))
            cloud.append(Line(rim[..., 0], rim[..., 1], "grid", "nine in ten", dash=(5, 4)))
        cloud += [Arrows(start, drawn(jumps)[:, :1] - start, "noise", 3, dash=())]
    panels = [Panel(f"300 times from {source}", cloud, LIMITS, LIMITS, probe=source == "one point")]
    show(
        *panels + [comparison(x0, walks, jumps)] * jumping,
        start=-1,
        alt=f"300 random walks of {steps} steps from {source}"
        + (" and 300 single jumps. The two clouds cover each other." if jumping else "."),
    )
    notes = [
        ("sample", f"**Walks** of {steps} steps: each step adds a little fresh noise, whichever way. One walk is drawn as a line."),
        ("noise", "**Jumps** add all their noise at once: the arrow is one of them. A jump does not end where a walk ends, and yet "
                  "the two *clouds* are the same: Gaussian steps add up to one Gaussian step, and their variances add."),
        ("exact", "**The same?** The solid curve is the distance between the two clouds. Below the dashed line it is no larger than "
                  "chance makes it between two clouds of jumps, 19 times in 20. Change the length of the steps: it leaves."),
    ]  # fmt: skip
    unseen = ("noise", "**Jumps** are still to come: say what you expect of them, then switch them on.")
    shell.notes(notes if jumping else [notes[0], unseen])
    step = (r"x_{i+1} = x_i + \sqrt{\sigma_{i+1}^2-\sigma_i^2}\;\varepsilon_i", "sample")
    shell.equation([step, (r"\quad\Longrightarrow\quad", None), *noised()] if jumping else [step], legend() if jumping else ())
    shell.code(*[forward.walk, forward.jump][: 1 + jumping])


def comparison(x0: Tensor, walks: Tensor, jumps: Tensor) -> Panel:
    """The distance of walks from jumps over time, beside the one that chance rarely exceeds."""
    some, levels = torch.linspace(0, steps, min(steps, 20) + 1).round().long(), forward.levels(timetable, 15)
    apart = forward.distances(walks[some], jumps[some]) * schedules.scale(sigma[some], "vp")
    limit = chance(x0, levels, seed) * schedules.scale(levels, "vp")
    lines = [Line(torch.linspace(0, 1, len(limit)), limit, "exact", "chance stays below"),
             Line(t[some], apart, "sample", "walks to jumps", width=3)]  # fmt: skip
    top = max(3 * limit.max().item(), 1.05 * apart.max().item())
    return Panel("How different are the clouds?", lines, (0, 1), (0, top), False, "t", "energy distance", marker=t)


def dissolve() -> None:
    """A cloud with its density, and a real image, under the same schedule."""
    walk = forward.walk(points.make(data, 300).points.double(), sigma, seed)
    cloud = [Heat(dissolving(fresh(2000, 0), sigma, view, GRID), LIMITS + LIMITS, "density")] if heat else []
    photo = drawn(forward.walk(images.picture(image).double(), sigma, seed))
    numbers = f"{photo[0].numel():,}"
    show(
        Panel(f"300 pictures of two pixels: the {data}", [*cloud, Points(drawn(walk), "sample", size=2, label="xₜ")], LIMITS, LIMITS,
              caption=[f"xₜ = {a:.2f} x₀ + {a * s:.2f} ε" for a, s in zip(schedules.scale(sigma, view), sigma, strict=True)]),
        Panel(f"One picture of {numbers} numbers", [Images(images.pixels(photo)[:, None])]),
        start=int((sigma < 0.25).sum()),
        alt=f"The {data} spreads into a round cloud as t goes from 0 to 1, and the picture of a {image} turns to grain.",
    )  # fmt: skip
    shell.notes([
        ("sample", f"**Each ring is a picture of two pixels on its own walk.** At t = 0 they are the {data}; at t = 1 nobody can tell "
                   "which ring began where."),
        ("data", "**The shading is their density**, exactly: where rings are likely, at this noise. Noise blurs it as ever thicker "
                 "glass would: fine detail goes first, the rough outline last."),
        ("exact", f"**The {image} is one dot, too**, in a space of {numbers} dimensions, under the same schedule. The arms of a spiral "
                  "may have run together and you still see what the picture is: it has more numbers to tell it by."),
    ])  # fmt: skip
    shell.equation(noised(), legend())
    shell.code(forward.walk, forward.density)


def compare_schedules() -> None:
    """The same cloud under each schedule at the same t, and log-SNR over t."""
    x0 = points.make(data, 250).points.double()
    panels, curves, dots = [], [Line([0, 1], [0, 0], "grid")], []
    for name, colour in TIMETABLES.items():
        other, chosen = schedules.make_schedule(name), name == schedule
        levels, snr = forward.levels(other, steps), schedules.log_snr(other.sigma(t))
        cloud = forward.in_view(forward.jump(x0, levels, forward.direction(x0, seed)), levels, view)
        panels.append(Panel(f"{name} (chosen)" if chosen else name, [Points(cloud, colour, size=1.7)], LIMITS, LIMITS))
        curves.append(Line(t, snr, colour, dash=(), width=4 if chosen else 2))
        dots.append(torch.stack([t, snr], 1))
    curves.append(Points(torch.stack(dots, 1), list(TIMETABLES.values()), range(len(dots)), size=5, alpha=1))
    show(
        *panels,
        Panel("log(signal / noise) over t", curves, (0, 1), (-14, 14), equal=False, marker=t),
        start=25,
        alt=f"The {data} under five schedules at the same t, and the logarithm of signal over noise of each over t: it falls from "
        "about 10 to about −10, log-linear in a straight line, the others steeply at one end or at both.",
    )
    shell.notes([
        ("data", "**One road, five timetables.** All five clouds go the same way with the same noise; a schedule only says how much "
                 "noise there is at which t. Two clouds of equal σ are the same picture."),
        ("grid", "**The curves** say how much is left to see: the logarithm of signal over noise. On the grey line there is as much "
                 "noise as signal; above it you see the data, far below it nothing."),
        ("guided", "**Where a curve is flat, time stands still.** A network learns at random t and a sampler walks along t: a flat "
                   "stretch spends much of both on nearly the same noise."),
    ])  # fmt: skip
    shell.equation([(r"\log\mathrm{SNR}(t) = \log\frac{1}{\sigma_t^2}", None), (r"\qquad", None), *noised()], legend())
    shell.code(schedules.log_snr, forward.jump)


def fresh(n: int, seed: int) -> Tensor:
    """n fresh draws from the whole distribution of the data, [n, 2]."""
    return points.make(data, 300).sample(n, seeds.generator(seed))[0].double()


def drawn(x: Tensor) -> Tensor:
    """States [T, ...] in the chosen view."""
    return forward.in_view(x, sigma, view)


def show(*panels: Panel, alt: str, start: int = 0) -> None:
    """The panels on one clock, t from 0 to 1 in about six seconds."""
    probe = point if any(panel.probe for panel in panels) else None
    with picture:
        stage(panels, Clock(t, "t", 2, start), key="forward", alt=alt, probe=probe, fps=max(2, steps / 6), permalink=True,
              restart=(scene, steps))  # fmt: skip


def noised() -> list[tuple[str, str | None]]:
    """x_t in one jump, each term in the colour of what it stands for."""
    return [(r"x_t", "sample"), ("=", None), (r"\alpha_t\,x_0", "data"), ("+", None), (r"\alpha_t\sigma_t\,\varepsilon", "noise")]


def legend() -> list[tuple[str, str]]:
    """What the terms are."""
    return [("data", "the image"), ("noise", "a normal random number for each pixel, times the noise level $\\sigma_t$"),
            ("sample", f"the noised image at the scale of this view, $\\alpha_t = {ALPHA[view]}$")]  # fmt: skip


def place(raw: str) -> tuple[float, float]:
    """A point of the plane from the address: "0.5,-0.5"."""
    x, y = map(shell.between(*LIMITS), raw.split(","))
    return x, y


SCENES = {"Two pixels": two_pixels, "Walk and jump": walk_and_jump, "Dissolve": dissolve, "Schedules": compare_schedules}

shell.require_shell()
shell.chapter(1, "An image is a point", "Noise moves the point at random, until nothing in it tells where it began.")
controls, picture = shell.picture()
with picture:
    scene = shell.segmented("Scene", list(SCENES), default="Two pixels", key="scene", label_visibility="collapsed")
point = newest_probe("forward") or shell.param("start", place, START)
shell.set_param("start", None if point == START else f"{point[0]:g},{point[1]:g}")
here, data, steps, jumping = torch.tensor(point, dtype=torch.float64), "spiral", 100, False
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
        heat = shell.toggle("Density under the cloud", True, key="density")
    schedule = shell.selectbox("Schedule", list(TIMETABLES), key="schedule", help="How much noise there is at which time t.")
    view = VIEWS[shell.selectbox("View", list(VIEWS), key="view", help="The same process at another scale. Preserving: all shrinks as "
                                 "the noise grows, and fits. Exploding: nothing shrinks, and the noise grows out of the window. "
                                 "Straight line: from image to noise at constant speed, as rectified flow has it.")]  # fmt: skip
    left, right = st.columns(2)
    with left:
        seed = shell.number("Seed", 0, 9999, 0, key="seed")
    with right:
        if scene != "Two pixels":
            data = shell.selectbox("Data", list(points.BUILT_IN), key="data")
t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
timetable = schedules.make_schedule(schedule)
sigma = forward.levels(timetable, steps)
SCENES[scene]()
if scene == "Walk and jump":
    with picture:
        shell.explain("guess", seen=jumping)

quarter = {name: schedules.make_schedule(name).sigma(torch.tensor(0.25)).item() for name in TIMETABLES}
shell.tasks([
    ("Two pixels: move the image so that its left pixel is almost black and its right one almost white.",
     point[0] < -0.8 and point[1] > 0.8, "Left is darker for the first pixel, up is brighter for the second."),
    ("Walk and jump: find the smallest number of steps that still gives the cloud of the jumps.", jumping and steps == 1,
     "Is a walk of a single step not a jump?"),
    ("Schedules: choose the one under which the data are easiest to see at t = 0.25.", schedule == min(quarter, key=quarter.get),
     "Least noise is the highest curve."),
])  # fmt: skip
shell.finish()
