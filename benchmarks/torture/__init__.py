"""Hostile conditions: ``python -m benchmarks.torture``; what came of them is in ``results``.

Each part is a module with ``TITLE``, ``ABOUT`` and ``run(effort)``, which yields ``Row``s.
"""
