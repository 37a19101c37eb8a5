"""From a text to pictures and from a picture to captions, by the cosines of their vectors."""

from torch import Tensor

from core.figures.scene import Images, Panel, Scene
from core.lessons.clip import Space
from core.models import clip_space
from core.models.clip_space import Vectors
from core.runs.caching import shared_cache
from pages.ui.frame.text import fixed, t
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons.clip_collection import Nearest

PICTURES, CAPTIONS = 12, 10  # so many are found


def by_text(space: Space, query: str, among: Tensor) -> Nearest:
    """The pictures nearest to a text; none where no word of it is known."""
    return (
        clip_space.nearest(space.pictures, space.text(query), among, PICTURES) if space.tokenizer.known(query) else []
    )


def by_picture(space: Space, pixels: Tensor, among: Tensor) -> Nearest:
    """The captions nearest to a picture uint8 [3, 32, 32]."""
    return clip_space.nearest(space.captions, space.picture(pixels), among, CAPTIONS)


@shared_cache(4)
def accuracy_of(space: Vectors) -> tuple[float, float]:
    """See `core.lessons.clip.retrieval_accuracy`."""
    return clip_space.retrieval_accuracy(space)


def scene_of_pictures(query: str, found: Nearest) -> Scene:
    """The pictures nearest to a text, with their captions and cosines."""
    title = t("clip.panels.nearest_to_text", text=query)
    return Scene([collection.pictures(title, found, columns=6)], alt=_alt(title, found))


def scene_of_captions(name: str, pixels: Tensor, found: Nearest) -> Scene:
    """A picture uint8 [3, h, w], and the captions nearest to it with the pictures that they belong to."""
    title = t("clip.panels.nearest_captions")
    query = Panel(name, [Images(pixels.movedim(0, -1)[None, None], colour="sample")])
    return Scene([query, collection.pictures(title, found, columns=5)], alt=_alt(f"{name}. {title}", found))


def _alt(title: str, found: Nearest) -> str:
    return f"{title}: {', '.join(f'{collection.captions()[i]} {fixed(cosine)}' for i, cosine in found)}."
