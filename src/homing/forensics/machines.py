"""Who is no person."""

from __future__ import annotations

from typing import Final

#: who is no person, where a log says by whom a delivery was ended or an endpoint switched off
MACHINES: Final = (
    r"retention|purg|clean|sweep|reap|janitor|evict|\bttl|_ttl|expir|gc$|cron|sched|daemon|worker|system|"
    r"job|router|keeper|feeder|relay|dispatch|circuit|breaker|\bauto|monitor|health|guard|"
    r"watchdog|limiter|detector|\bprobe|config|reload|rollout|deploy|\bsync"
)

#: how what follows "by" begins where it names no person
NO_PERSON: Final = (
    r"(?:(?:the|an?|its|code|age)\b|policy|rule|limit|request|script|queue|server|client|mistake|"
    rf"\S*(?:{MACHINES}))"
)
