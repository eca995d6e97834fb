"""The catalogue of known bugs, one mutant a function, named for what it does wrong; and rewrites that change nothing.

`catalogue.CATALOGUE` lists them. A mutant is an honest kernel (`honest.py`) with one part replaced.
"""
