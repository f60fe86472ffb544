"""A sync: `driver` goes through it step by step, `pushing` and `pulling` are its halves, `sync_core` its pure steps.

`noticing` holds answers against what came before, `notes` keeps what to ask again; `receipts` checks the server's word;
`again` and `wiping` are for a restored server and a revoked device.
"""
