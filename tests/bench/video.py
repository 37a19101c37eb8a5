"""How fast clips of people are drawn as data and by the shipped video model, in seconds of one core."""

import time
from collections.abc import Callable, Iterator

from core.data import video
from core.data.video_captions import all_faults
from core.models import video_queries
from core.models.model import SHIPPED, open_checkpoint
from core.models.video_queries import Sampling
from tests.bench.figure import Figure

CLIPS, REPEATS = 1024, 3
ONE_WITHIN, FOUR_WITHIN, AT_LEAST = 2.0, 5.0, 1000.0
CAPTION = "a person with a red hat, walking left"


def measure() -> Iterator[Figure]:
    """Real clips each second; seconds for one clip, and for four, guided away from the long negative caption."""
    seconds = [_seconds(lambda k=k: video.draw(CLIPS, seed=k)) for k in range(REPEATS)]
    yield Figure("Real clips", [CLIPS / each for each in seconds], "per second of one core", AT_LEAST, least=True)
    model = video_queries.load(*(open_checkpoint(SHIPPED / name) for name in ("video", "video-text")))
    how = Sampling(3.0, all_faults("en"))
    model.sample([CAPTION], how)
    for n, within in ((1, ONE_WITHIN), (4, FOUR_WITHIN)):
        taken = [_seconds(lambda n=n: model.sample([CAPTION] * n, how)) for _ in range(REPEATS)]
        yield Figure(f"{n} guided {'clip' if n == 1 else 'clips'} of 8 frames", taken, "s of one core", within)


def _seconds(function: Callable[[], object]) -> float:
    begun = time.process_time()
    function()
    return time.process_time() - begun
