"""The outbox: a message is written in the business transaction, and a relay hands it to Homing.

So a message goes out if and only if what it tells of was committed. `homing.outbox.sqlalchemy`
and `homing.outbox.django` write it; `homing.outbox.relay` carries it.
"""
