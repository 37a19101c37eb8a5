"""Chapter 6: flow matching. Straight training lines, the mean velocity, its bent paths, couplings and few steps."""

from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import flow_couplings, flow_few_steps, flow_live, flow_matching
from pages.ui.lessons.flow_config import ALL_PAIRS, CONTROLS, PROBED, Config
from pages.ui.lessons.flow_live import LIVE
from pages.ui.lessons.flow_matching import CODE, SCENES
from pages.ui.stage import player

shell.require_shell()
shell.chapter("flow_matching", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "lines", "pairs": ALL_PAIRS})
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "lines"
with left:
    for name in CONTROLS[show]:
        if not (name == "pairs" and not answered or name == "batch" and controls.value("classes")):
            controls.draw(name)
    chosen = flow_live.choose() if show == "transport" else None
if show in PROBED:
    player.take_probe(f"flow_{show}", PROBED[show])

config, view = controls.config(show=show), None
with right:
    if show in LIVE:
        view = flow_live.draw(config, chosen)
    else:
        scene = SCENES[show](config)
        scene = scene if answered else flow_matching.before_answer(scene)
        player.show(scene, key="flow_chords" if show == "chords" else "flow", permalink=True)
    part = flow_matching.hinted(config)
    if answered and text.has(f"flow_matching.{part}.hint"):
        with shell.sheet():
            shell.caption(t(f"flow_matching.{part}.hint", **flow_matching.quoted(show)))
    if show == "couplings" and not config.classes:
        flow_couplings.draw_models()
    shell.explain("guess", "bent", shown=answered and show == "lines" and config.pairs == ALL_PAIRS)

shell.notes(*flow_matching.notes_of(config, answered), **flow_matching.quoted(show))
shell.equation(show, legend=show)
shell.code(*CODE[show])
shell.tasks(flow_matching.tasks(config) | flow_live.tasks(config, view))
shell.finish()
flow_couplings.import_solver()
if show == "few_steps":
    flow_few_steps.prepare_most_calls()
