"""The workloads, each beside a limit that is taken in the same run.

`make bench` runs them, `make bench ARGS="--only P1"` one of them, `make bench ARGS=--write` writes docs/benchmarks.md.
Nothing here asserts a time: a figure is a ratio to a limit of the same machine in the same minute, the median of at
least five rounds with its spread, and beside it stands what was aimed at.

> INVARIANT: no part of the product is replaced: a real server process, real enrolled devices, durable commits.
"""
