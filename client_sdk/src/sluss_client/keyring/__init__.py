"""How secrets and names reach the devices that may have them, and no others.

`keyshare` is the exchange of every sync; `rotation` makes the next epochs; `splitting` makes custodians' shares and
`custody` keeps, gives and combines them; `roster` and `names` are about names and the count key.
"""
