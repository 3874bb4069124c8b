"""A simulated year of a market: how much idle capacity three ways of matching put to use."""
