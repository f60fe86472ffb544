"""`python -m sluss_server.cli` is `sluss`."""

from sluss_server.cli import main

main()
