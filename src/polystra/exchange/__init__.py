"""The venue on one machine: `sim.Exchange` behind Polymarket's own wire.

`venue` joins the pure exchange with time, accounts and listings; `server` puts it on a port; everything between only
translates (`wire`, `frames`, `catalogue`) or answers one area of the protocol.
"""
