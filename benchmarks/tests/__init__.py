"""Tests of the benchmarks, and a short run of each kind of torture."""
