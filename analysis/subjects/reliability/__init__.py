"""Reliability: is 1-3-10 attained, and what follows from it for ten thousand and a hundred thousand cards?"""

from analysis.subjects.reliability import attainment, goodput

CLAIMS = (*attainment.CLAIMS, *goodput.CLAIMS)
ATTAINMENT, CONSEQUENCES = (tuple(model.id for model in group.CLAIMS) for group in (attainment, goodput))
