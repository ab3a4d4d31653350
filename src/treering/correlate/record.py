"""An incident as a record of the stream `incidents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.correlate import tactics

if TYPE_CHECKING:
    from treering.model.incident import Incident


def to_record(incident: Incident) -> dict[str, Any]:
    """Return the record that stands for `incident`; its `_id` is the incident's id."""
    names: dict[str, Any] = {}
    for entity in incident.entities:
        names.setdefault(entity.kind, []).append(entity.value)
    stages = dict.fromkeys(moment.tactic for moment in incident.timeline if moment.tactic)
    return {
        "@timestamp": incident.noticed_ns,
        "incident": {
            "id": incident.id,
            "kind": incident.kind,
            "state": incident.state.value,
            "owner": incident.owner,
            "findings": len(incident.findings),
        },
        "body": incident.title,
        "severityText": incident.severity.value,
        "severityNumber": incident.severity.number,
        "startTime": incident.start_ns,
        "endTime": incident.end_ns,
        "risk": incident.risk,
        "entities": {kind: found[0] if len(found) == 1 else found for kind, found in names.items()},
        "techniques": list(incident.techniques),
        "tactics": [tactics.name(stage) for stage in stages],
        "findings": list(incident.findings),
    }
