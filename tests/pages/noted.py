"""Which notes of the catalogue a scene of a page shows together."""

from importlib import import_module

from pages.ui.frame import links, text

ONE_SCENE = {"home": "figure", "lab": "two_sides"}


def scenes(page: str) -> tuple[str, ...]:
    """The scenes of a page."""
    if page in ONE_SCENE:
        return (ONE_SCENE[page],)
    return links.controls(import_module(f"pages.ui.lessons.{page}").Config)["show"].choices


def combinations(page: str, scene: str) -> dict[str, tuple[str, ...]]:
    """The names of the notes that stand together under a scene, by what is special about it then."""
    lesson = import_module(f"pages.ui.lessons.{page}")
    return getattr(lesson, "NOTES", {}).get(scene, {"": (scene,)})


def table(page: str, name: str, language: str = text.DEFAULT) -> dict:
    """The entries of a name in a page's catalogue; a dot leads to a table inside."""
    found = text.catalogue(language)[page]
    for part in name.split("."):
        found = found.get(part, {})
    return found


def notes(page: str, names: tuple[str, ...], language: str = text.DEFAULT) -> list[dict[str, str]]:
    """The notes that stand together under a scene."""
    return [note for name in names for note in table(page, name, language).get("notes", ())]
