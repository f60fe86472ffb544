"""The weekly pack: what the Monday meeting takes along, on two pages and as data.

`contents` is what of a week its viewer may see, by the same questions as the panels; `pdf`, `tables` and `codebook`
write it down, and `routes` has the addresses.

> INVARIANT: nothing is in a file that is not on a page of the overview or in the own agency's own reports.
"""
