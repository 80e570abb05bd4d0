"""The airspeed-velocity suite of sparsenmf; see the README beside this folder."""
