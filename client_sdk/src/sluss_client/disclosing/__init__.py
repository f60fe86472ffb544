"""What a person who may decide does with a report of the own agency: disclose, release, recall, and look at it again.

The engine balances nothing: it shows which grounds are formally open, asks for the written assessment, lets an
authorised person decide, gives out what the ground allows and no more, and ends it.
Source: docs/protocol.md section 4, docs/secrecy-rules.md B4, B6 and B7.
"""
