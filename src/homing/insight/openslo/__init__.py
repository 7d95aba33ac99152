"""OpenSLO v1, read strictly and written so that others can read it.

Source: the OpenSLO specification, version v1 (github.com/OpenSLO/OpenSLO).
"""
