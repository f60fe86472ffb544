"""`python -m sluss_client.cli` is `sluss-device`."""

from sluss_client.cli import main

main()
