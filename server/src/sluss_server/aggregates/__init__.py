"""The cube: which tables of counts there are, what of them others may see, and how they stay as they were shown.

Pure: no I/O, no clock, no randomness; what it is given are numbers and a policy pack.
Source: docs/secrecy-rules.md B8.
"""
