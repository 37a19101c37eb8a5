"""Quality against network calls: computed in the background, shared by all who ask, and kept once it is known."""

from collections.abc import Callable, Sequence

import streamlit as st

from core.diffusion.samplers import SamplerConfig
from core.figures.curves import Curve, curves
from core.lessons import sampler_quality
from core.lessons.sampler_quality import QualityRow
from core.models.trajectories import PointModel
from core.runs.jobs import Work
from pages.ui.frame import shell_old as shell
from pages.ui.lessons.sampling import ROLES
from pages.ui.runs import training_run

KEPT = 48  # tables
SAMPLES = 1000  # for each score
LEAST = 1e-4  # a logarithmic axis has no 0, which is how far perfect samples are from a hundred points
TABLE_AT = 32  # network calls
MEASURES = {
    "coverage": ("points reached, of 100", lambda score: 100 * score.quality.coverage, False),
    "distance to data": ("mean distance to data", lambda score: max(score.quality.distance, LEAST), True),
    "energy distance": ("energy distance to the data", lambda score: score.energy, True),
}


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def kept(key: tuple) -> list[QualityRow]:
    """Where the finished table of a work's key is kept in this server process, empty until then."""
    return []


def work(models: Sequence[PointModel], way: SamplerConfig) -> Work:
    """The scores of all samplers as work for the background; whoever asks for the same ones shares it."""
    key = ("scores", *(model.key for model in models), way.sigma_max, way.schedule, way.seed, SAMPLES)
    return Work(key, lambda found, _: sampler_quality.table(models, way, SAMPLES, found or ()), picture=tuple)


def watch(models: Sequence[PointModel], way: SamplerConfig) -> None:
    """Draw the scores, all at once where they are known, else as they come; the page goes on meanwhile."""
    if failed := st.session_state.pop("_failed", ""):
        shell.sorry(failed)
        st.button("Try again", key="_try_again")
        return
    asked = work(models, way)
    known = tuple(kept(asked.key))

    @st.fragment(run_every=None if known else 1.0)
    def tick() -> None:
        with shell.guard():
            options = {"default": "coverage", "key": "measure", "label_visibility": "collapsed"}
            measure = shell.segmented("Measure", list(MEASURES), **options)
            found = known or _newest(asked, sampler_quality.length(models))
            if found:
                draw(found, models, measure)

    tick()


def _newest(asked: Work, whole: int) -> tuple[QualityRow, ...]:
    """What is known so far, with how far it is. Once that is all, it is kept, and the page runs again to rest; and so
    it does after a failure, which is left behind so that the next look begins anew."""
    if kept(asked.key):  # somebody else's look was the first after the end
        st.rerun()
    registry, me = training_run.jobs(), training_run.viewer()
    before = st.session_state.get("_scores")
    if before and registry.key_of(before) != asked.key:
        registry.leave(before, me)  # a control has changed: this visitor waits for other scores now
    try:
        run = st.session_state["_scores"] = registry.join(asked, me)
    except ValueError as busy:
        shell.sorry(str(busy))
        return ()
    view = registry.look(run, me)
    found = view.picture or ()
    if view.status in ("finished", "failed"):
        registry.leave(run, me)
        if view.status == "finished":
            kept(asked.key)[:] = found
        else:
            st.session_state["_failed"] = view.error
        st.rerun()
    waiting = f"waiting, number {view.place} in the queue" if view.status == "queued" else f"{view.step} of {whole}"
    st.progress(min(1.0, view.step / whole), f"Sampling in the background: {waiting}")
    return found


def draw(found: Sequence[QualityRow], models: Sequence[PointModel], measure: str) -> None:
    """A measure over network calls, a curve for each sampler, and all three measures as a table."""
    ylabel, value, log = MEASURES[measure]
    perfect, rest = found[0], found[1:]
    alike: dict[tuple[str, str], list[QualityRow]] = {}
    for score in rest:
        alike.setdefault((score.sampler, score.model), []).append(score)
    lines = [_curve(part, value, own=model == models[0].key) for (_, model), part in alike.items()]
    if (best := value(perfect)) > LEAST:
        lines.append(
            Curve([sampler_quality.CALLS[0], sampler_quality.CALLS[-1]], [best, best], "exact", "perfect samples")
        )
    chart = curves(
        lines, shell.theme(), "network calls", ylabel, xlog=True, ylog=log, xticks=sampler_quality.CALLS, height=400
    )
    st.plotly_chart(chart, theme=None, key="scores")
    at = [score for score in rest if score.model == models[0].key and TABLE_AT - 1 <= score.nfe <= TABLE_AT]
    st.markdown(_table([perfect, *at]))


def _curve(scores: Sequence[QualityRow], value: Callable[[QualityRow], float], own: bool) -> Curve:
    """One sampler's curve: thick with marks, or thin beside it for the exact denoiser's."""
    kind = scores[0].sampler
    x, y = zip(*((score.nfe, value(score)) for score in scores))
    return Curve(x, y, ROLES[kind], kind if own else f"{kind}, exact", marked=own, beside="" if own else kind)


def _table(scores: Sequence[QualityRow]) -> str:
    rows = (
        [score.sampler, str(score.nfe or "–"), f"{score.quality.covered} of {score.quality.of}",
         f"{score.quality.distance:.4f}", f"{score.energy:.4f}"]
        for score in scores
    )  # fmt: skip
    return shell.table(["Sampler", "calls", "points reached", "distance to data", "energy distance"], rows)
