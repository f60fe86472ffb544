"""The server's core on PostgreSQL: what holds on a file has to hold there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.postgres import Cluster, cluster  # noqa: F401
from tests.server.test_custody import *  # noqa: F403
from tests.server.test_directory import *
from tests.server.test_enrolling import *
from tests.server.test_grants import *
from tests.server.test_keys import *
from tests.server.test_pull import *
from tests.server.test_push import *
from tests.server.test_versions import *
from tests.server.town import Town


@pytest.fixture
async def town(cluster: Cluster) -> AsyncIterator[Town]:
    built = await (await Town(cluster.database()).open()).build()
    yield built
    await built.close()
