"""Fixtures of the tests on a graphics card."""

from tests.core.cli.conftest import folder as folder
