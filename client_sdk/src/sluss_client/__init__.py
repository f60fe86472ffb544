"""What a staff device runs: file, seal, sync, open.

```python
async with await Device.open(path, passphrase) as device:
    report = device.file(forms.OrderIncident(scene="central-square", observed_at=now, sub_kind="threat"))
    await device.sync()
```

Source: docs/contract.md.
"""

from sluss_client.answers import SyncResult
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Offline, Refused, SlussError, StoreError, Untrusted
from sluss_client.report import Author, Report
from sluss_schemas import forms

__version__ = "0.1.0"
__all__ = [
    "Author",
    "Device",
    "Invalid",
    "NotFound",
    "Offline",
    "Refused",
    "Report",
    "SlussError",
    "StoreError",
    "SyncResult",
    "Untrusted",
    "forms",
]
