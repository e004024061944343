"""The published conformance requirements, as handlers in our API: a module per suite, a function per requirement.

A handler's docstring begins with the id of its requirement. `make conformance` serves them and runs the requirements; a third of
them are tests of this package.
"""
