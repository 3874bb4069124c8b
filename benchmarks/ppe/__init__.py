"""A replay of real offers and demands: protective equipment at GetUsPPE.org, April to July 2020."""
