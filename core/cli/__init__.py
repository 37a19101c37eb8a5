"""The commands of ``python -m core``, and how a training run is carried out in a terminal."""
