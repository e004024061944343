"""Determinism and misuse rules over Python's syntax tree.

Rule: only the standard library, and no I/O: source in, findings out. Nothing that is linted is imported or run.
"""
