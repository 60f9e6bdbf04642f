"""The trained network in other places: one file for other programs, and what they make of it.

Nothing of this is needed to train, or to read pictures. README.md, beside this file, is its page.
"""
