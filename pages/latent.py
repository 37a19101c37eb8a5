"""Chapter 11: an autoencoder, the plane that it makes of digits, diffusion on latents, and people from latents."""

from pages.ui.frame import controls, shell
from pages.ui.lessons import latent as lesson
from pages.ui.lessons import latent_people, latent_plane
from pages.ui.lessons.latent import CODE, CONTROLS, SCENES
from pages.ui.lessons.latent_config import Config
from pages.ui.stage import player

shell.require_shell()
shell.chapter("latent", Config)
left, right = shell.columns()
with shell.asking(left, right):
    answered = shell.predict("guess", decides={"show": "plane"})
with right:
    show = controls.draw("show", label_visibility="collapsed") if answered else "plane"
with left:
    for name in CONTROLS[show]:
        controls.draw(name)
if show == "plane":
    player.take_probe("latent_plane", "probe")
config, view = controls.config(show=show), None
with right:
    if show == "plane":
        view = latent_plane.draw(config, answered)
    elif show == "people":
        latent_people.draw(config)
    else:
        player.show(SCENES[show](config), key="latent", permalink=True)
    shell.explain("guess", "between", shown=answered and show == "plane")

shell.notes(*lesson.notes_of(config, answered))
shell.equation(show, legend=show)
shell.code(*CODE[show])
shell.tasks(lesson.tasks_done(config, view))
shell.finish()
