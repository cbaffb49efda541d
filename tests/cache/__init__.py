"""Tests of the packed cache; a package, so that its conftest has a name of its own."""
