"""Deploys with a client that was generated from the document: lists, begins, waits for the end, reads what happened."""

import sys
import time

from andon_client import Client
from andon_client.api.deployments import (
    deployments_begin as begin,
    deployments_entries as entries,
    deployments_list as list_,
    deployments_show as show,
)
from andon_client.models import Wanted

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
with client as client:
    assert list_.sync(client=client) == []
    begun = begin.sync(client=client, body=Wanted(service="www"), idempotency_key="generated-1")
    again = begin.sync(client=client, body=Wanted(service="www"), idempotency_key="generated-1")
    assert begun.deployment == again.deployment, (begun, again)
    deadline = time.monotonic() + 90
    while True:
        deployment = show.sync(number=begun.deployment, client=client)
        if deployment.ended:
            break
        assert time.monotonic() < deadline, deployment
        time.sleep(0.2)
    assert deployment.state == "succeeded", deployment
    assert deployment.hosts.succeeded == 1, deployment.hosts
    told = [entry.what for entry in entries.sync(number=begun.deployment, client=client)]
    assert told[-1] == "succeeded", told
    rows = list_.sync(client=client, service="www", limit=5)
    assert [row.deployment for row in rows] == [begun.deployment], rows
    refused = show.sync(number=77, client=client)
    assert refused.error.code == "not_found", refused
print("the generated client works")
